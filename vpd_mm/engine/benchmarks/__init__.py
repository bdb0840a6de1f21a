"""Benchmarks by name; each is imported when asked for."""

import importlib
from collections.abc import Callable, Sequence

#: Name on the command line to ``module:function``; the function takes argv and returns an exit status.
BENCHMARKS = {
    'prepare': 'vpd_mm.engine.benchmarks.prepare:main',
    'synthetic': 'vpd_mm.engine.benchmarks.synthetic:run',
    'distill': 'vpd_mm.engine.benchmarks.distill:main',
    'bigru': 'vpd_mm.engine.benchmarks.bigru:run',
    'dtw': 'vpd_mm.engine.benchmarks.dtw:run',
    'vipe': 'vpd_mm.engine.benchmarks.vipe:run',
}


def load_benchmark(name: str) -> Callable[[Sequence[str]], int]:
    """The function of benchmark ``name``, a key of BENCHMARKS."""
    module, function = BENCHMARKS[name].split(':')
    return getattr(importlib.import_module(module), function)


__all__ = ['BENCHMARKS', 'load_benchmark']
