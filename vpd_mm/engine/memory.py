"""Settings of the memory allocator."""

import ctypes
import sys
from contextlib import suppress

#: Options of glibc's mallopt: how much free memory stays, and the size from which blocks are mapped one by one.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _MAPPED_BYTES = 256 << 20, 32 << 20


def keep_freed_memory() -> bool:
    """Let glibc's malloc keep up to 256 MB of freed memory instead of returning it to the kernel.

    The kernel fills new pages with zeros, which slows down loaders, training and extraction
    (``tools/benchmark.py distill``).  Forked processes inherit the setting.

    Returns:
        False without glibc.
    """
    if not sys.platform.startswith('linux'):
        return False
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES))
    return False
