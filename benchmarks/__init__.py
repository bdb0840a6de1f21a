"""Benchmarks by name, imported on demand."""

import importlib
from collections.abc import Callable, Sequence

#: Name on the command line to ``module:function``; the function takes argv and returns an exit status.
BENCHMARKS = {
    'containers': 'benchmarks.containers:main',
    'prepare': 'benchmarks.prepare:main',
    'synthetic': 'benchmarks.synthetic:run',
    'real': 'benchmarks.real:run',
    'real-students': 'benchmarks.real_students:run',
    'real-configs': 'benchmarks.real_configs:run',
    'repair': 'benchmarks.repair:run',
    'distill': 'benchmarks.distill:main',
    'studio': 'benchmarks.studio:main',
    'gpu': 'benchmarks.gpu:main',
    'bigru': 'benchmarks.bigru:run',
    'dtw': 'benchmarks.dtw:run',
    'retrieval': 'benchmarks.retrieval:run',
    'scale': 'benchmarks.scale:main',
    'vipe': 'benchmarks.vipe:run',
    'studio-user': 'benchmarks.studio_user:run',
    'vipe-recipes': 'benchmarks.vipe_recipes:run',
}


def load_benchmark(name: str) -> Callable[[Sequence[str]], int]:
    """Return the function of benchmark ``name``, a key of BENCHMARKS."""
    module, function = BENCHMARKS[name].split(':')
    return getattr(importlib.import_module(module), function)


__all__ = ['BENCHMARKS', 'load_benchmark']
