"""Deprecated names and spellings of arguments."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any


def renamed_arguments(owner: str, given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the remaining arguments of ``owner`` under their new names, with a DeprecationWarning for each.

    ``names`` maps an old name to the new one; a TypeError names an argument that is not in it.
    """
    for name in given:
        if name not in names:
            raise TypeError(f'{owner}: unexpected argument {name!r}')
        message = f'{owner}: {name} is deprecated since 0.2, removed in 0.3; use {names[name]}'
        warnings.warn(message, DeprecationWarning, stacklevel=3)
    return {names[name]: value for name, value in given.items()}


def joined_words(option: str, words: Sequence[str]) -> str:
    """Return ``a+b`` for the words a, b of an option of a tool, with a DeprecationWarning where there are several."""
    joined = '+'.join(words)
    if len(words) > 1:
        given = ' '.join(words)
        message = f'{option} {given} is deprecated since 0.2, refused from 0.3 on; write {option} {joined}'
        warnings.warn(message, DeprecationWarning, stacklevel=3)
    return joined
