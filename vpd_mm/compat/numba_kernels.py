"""Numba functions, cached on disk where that is possible."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable:
    """Decorate a function that numba compiles at its first call, with the options of ``numba.njit``."""

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # neither the package's nor the user's cache directory can be written
            return numba.njit(nogil=True, **options)(function)

    return decorate
