"""Deprecated names of arguments."""

import warnings
from collections.abc import Mapping
from typing import Any


def renamed_arguments(owner: str, given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return keyword arguments under their new names, with a DeprecationWarning for each.

    Args:
        owner: Class or function that takes the arguments.
        given: Its remaining keyword arguments.
        names: Old name to new name.

    Raises:
        TypeError: an argument has an unknown name.

    Example:
        >>> renamed_arguments('Model', {'size': 3}, {'size': 'width'})
        {'width': 3}
    """
    renamed = {}
    for name, value in given.items():
        if name not in names:
            raise TypeError(f'{owner}: unexpected argument {name!r}')
        message = f'{owner}: {name} is deprecated since 0.2, removed in 0.3; use {names[name]}'
        warnings.warn(message, DeprecationWarning, stacklevel=3)
        renamed[names[name]] = value
    return renamed
