"""Keep freed memory in the process: pictures and batches come and go thousands of times a second."""

import ctypes
import sys
from contextlib import suppress

#: Of glibc's mallopt: how much free memory stays, and from which size on each block is mapped and unmapped.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _MAPPED_BYTES = 256 << 20, 32 << 20


def keep_freed_memory() -> bool:
    """Let glibc's malloc keep up to 256 MB instead of handing every freed batch back to the kernel.

    Pages that the kernel hands out are filled with zeros first; loaders, training and extraction wait for that
    (``tools/benchmark.py distill``).  Processes that are forked later inherit it.

    Returns:
        False where there is no glibc.
    """
    if not sys.platform.startswith('linux'):
        return False
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES))
    return False


__all__ = ['keep_freed_memory']
