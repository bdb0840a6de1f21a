"""Record and check the inputs that derived files were made from.

Two notes exist on disk.  ``<folder>.sources.json`` lists the sources of the ``<video>.npz`` of a folder, with a
digest of the input of each video; different videos may have different sources.  ``<folder>/run.json`` identifies the
one run that made all files of a feature folder.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engine.locks import file_lock
from ..errors import UserError
from ..files import atomic_write, list_folder, npz_path, open_file, read_json

RUN_FILE = 'run.json'


def file_digest(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> str:
    """SHA-256 of the content of a file, or of several files in the given order."""
    digest = hashlib.sha256()
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        with open_file(path) as f:
            while block := f.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def refresh_source(
    folder: Path,
    source: Mapping[str, Any],
    existing: Iterable[str],
    hint: str,
    inputs: Mapping[str, str],
    remove: Callable[[Sequence[str]], None] | None = None,
) -> set[str]:
    """Remove the files of a folder whose input has changed, and record the source of those that a run will add.

    A folder with files but without a note (made by another tool) is accepted as it is and stays without one.

    Args:
        folder: Folder of ``<video>.npz``.
        source: Description of the source, for example ``{'boxes': <folder>}``; JSON values.
        existing: Videos of this run that have a file.
        hint: How the user can solve a conflict.
        inputs: Digest of the input of each video; videos without one are checked by ``source`` only.
        remove: Removes the files of stale videos; default: delete their npz.

    Returns:
        The videos of ``existing`` that still have their file.

    Raises:
        UserError: no file of the folder was made from ``source``, and one of ``existing`` from another input.
    """
    described = json.loads(json.dumps(source, default=str))
    existing, path = list(existing), _note_path(folder)
    with file_lock(folder.with_name('.sources.lock'), wait_sec=60, busy=f'{path}: locked for a minute'):
        notes = _read_notes(folder)
        known = {video: digest for note in notes for video, digest in note['inputs'].items()}
        this = next((note for note in notes if note['source'] == described), None)
        stale = []
        if this is not None:
            recorded = this['inputs']
            stale = [v for v in existing if v in recorded and v in inputs and recorded[v] != inputs[v]]
        elif notes and (conflicts := [v for v in existing if v not in inputs or known.get(v) != inputs[v]]):
            made_of = ' or '.join(_text(note['source']) for note in notes)
            raise UserError(
                f'{folder}: {len(conflicts)} videos (first {conflicts[0]}) have files made of {made_of}, which a rerun '
                f'keeps; requested: {described}; {hint}'
            )
        if stale and remove is not None:
            remove(stale)
        for video in stale:
            npz_path(folder, video).unlink(missing_ok=True)
        kept = set(existing) - set(stale)
        _record(folder, described, {v: d for v, d in inputs.items() if v not in kept or known.get(v) == d})
    return kept


def _record(folder: Path, source: dict, inputs: dict[str, str]) -> None:
    """Add a source and the inputs of its videos to the notes of a folder."""
    notes = _read_notes(folder)
    if not notes and list_folder(folder, '*.npz'):
        return
    if source not in [note['source'] for note in notes]:
        notes.append({'source': source, 'inputs': {}})
    for note in notes:
        others = {video: digest for video, digest in note['inputs'].items() if video not in inputs}
        note['inputs'] = others | inputs if note['source'] == source else others
    as_json = [note['source'] | ({'inputs': note['inputs']} if note['inputs'] else {}) for note in notes]
    with atomic_write(_note_path(folder), 'w') as f:
        json.dump(as_json, f, indent=1)


def record_run(folder: Path, run: dict) -> None:
    """Make ``folder`` the output of ``run``, or check that it is.

    Args:
        folder: Folder of ``<video>.npz``; made when missing.
        run: Identity of the run: the config, digests of the weights, settings; JSON values.

    Raises:
        UserError: the folder holds files of another run or of unknown origin.
    """
    path = folder / RUN_FILE
    if path.exists():
        recorded = read_json(path, 'restore it, or delete the folder')
        if recorded != run:
            raise UserError(f'{path}: the folder holds features of {_text(recorded)}, not of {run}; pass another --out')
    elif list_folder(folder, '*.npz'):
        raise UserError(f'{folder}: holds features of unknown origin (no {RUN_FILE}); pass another --out')
    else:
        with atomic_write(path, 'w') as f:
            json.dump(run, f, indent=1)


def _note_path(folder: Path) -> Path:
    """Path beside the folder: a note inside would make an empty pose set look used."""
    return folder.with_name(f'{folder.name}.sources.json')


def _read_notes(folder: Path) -> list[dict]:
    """Each source of the files of ``folder``, with the inputs of its videos; none where it has no files."""
    path = _note_path(folder)
    return read_notes(path) if path.exists() and list_folder(folder, '*.npz') else []


def read_notes(path: Path) -> list[dict]:
    """Read ``<folder>.sources.json``: dicts of ``source`` and ``inputs``, video to digest; UserError if not valid."""
    hint = 'delete it, then any source is accepted'
    notes = read_json(path, hint)
    if not isinstance(notes, list) or not all(isinstance(note, dict) for note in notes):
        raise UserError(f'{path}: must be a list of objects; {hint}')
    notes = [{'inputs': note.pop('inputs', {}), 'source': note} for note in notes]
    for note in notes:
        inputs = note['inputs']
        if not isinstance(inputs, dict) or not all(isinstance(value, str) for value in inputs.values()):
            raise UserError(f'{path}: inputs must map videos to digests; {hint}')
    return notes


def _text(value: object) -> str:
    try:
        return str(value)
    except RecursionError:
        return 'nested data'
