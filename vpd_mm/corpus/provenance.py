"""Record and check the inputs that derived files were made from.

Two notes exist on disk.  ``<folder>.sources.json`` lists the sources of the ``<video>.npz`` of a folder, with a
digest of the input of each video; different videos may have different sources.  ``<folder>/run.json`` identifies the
one run that made all files of a feature folder.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..engine.locks import file_lock
from ..errors import UserError
from ..structures import atomic_write

RUN_FILE = 'run.json'


def file_digest(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> str:
    """SHA-256 of the content of a file, or of several files in the given order."""
    digest = hashlib.sha256()
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        with open(path, 'rb') as f:
            while block := f.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def check_source(
    folder: Path, source: Mapping[str, Any], kept: Iterable[str], hint: str, inputs: Mapping[str, str] | None = None
) -> list[str]:
    """Check the files of ``folder`` that a rerun keeps against the source that it names.

    A folder with files but without a note (of an older version or another tool) is accepted as it is.

    Args:
        folder: Folder of ``<video>.npz``.
        source: Description of the source, for example ``{'boxes': <folder>}``; JSON values.
        kept: Videos of this run that have a file.
        hint: How the user can solve a conflict.
        inputs: Digest of the input of each video; videos without one are checked by ``source`` only.

    Returns:
        The stale videos: their input has changed since their file was made from this source.

    Raises:
        UserError: no file of the folder was made from ``source``, and one of ``kept`` from another input.
    """
    notes, inputs = _read_notes(folder), inputs or {}
    this = _find_note(notes, source)
    if this is not None:
        recorded = this.get('inputs', {})
        return [v for v in kept if v in recorded and v in inputs and recorded[v] != inputs[v]]
    known = _recorded_inputs(notes)
    conflicts = [v for v in kept if v not in inputs or known.get(v) != inputs[v]] if notes else []
    if conflicts:
        made_of = ' or '.join(str(_without_inputs(note)) for note in notes)
        raise UserError(
            f'{folder}: {len(conflicts)} videos (first {conflicts[0]}) have files made of {made_of}, which a rerun '
            f'keeps; requested: {_as_json(source)}; {hint}'
        )
    return []


def record_source(
    folder: Path, source: Mapping[str, Any], kept: Iterable[str], inputs: Mapping[str, str] | None = None
) -> None:
    """Record the source of the files that a run is about to add to ``folder``.

    Call :func:`check_source` and remove stale files first, or use :func:`refresh_source`.  ``kept`` are the videos of
    this run that keep their file.  A folder with files but without a note stays without one.
    """
    inputs, kept, path = inputs or {}, set(kept), _note_path(folder)
    with file_lock(folder.with_name('.sources.lock'), wait_sec=60, busy=f'{path}: locked for a minute'):
        notes = _read_notes(folder)
        if not notes and any(folder.glob('*.npz')):
            return
        if (this := _find_note(notes, source)) is None:
            notes.append(this := _as_json(source))
        known = _recorded_inputs(notes)
        own = {v: digest for v, digest in inputs.items() if v not in kept or known.get(v) == digest}
        for note in notes:
            rest = {v: digest for v, digest in note.pop('inputs', {}).items() if v not in own}
            if digests := rest | own if note is this else rest:
                note['inputs'] = digests
        with atomic_write(path, 'w') as f:
            json.dump(notes, f, indent=1)


def refresh_source(
    folder: Path, source: Mapping[str, Any], kept: Iterable[str], hint: str, inputs: Mapping[str, str] | None = None
) -> set[str]:
    """Check a source, remove stale files of ``folder``, and record the source.

    Args and errors: as for :func:`check_source`.

    Returns:
        The videos of ``kept`` that still have their file.
    """
    kept = list(kept)
    stale = check_source(folder, source, kept, hint, inputs)
    for video in stale:
        (folder / f'{video}.npz').unlink()
    current = set(kept) - set(stale)
    record_source(folder, source, current, inputs)
    return current


def record_run(folder: Path, run: dict) -> None:
    """Make ``folder`` the output of ``run``, or check that it is.

    Args:
        folder: Folder of ``<video>.npz``; made when missing.
        run: Identity of the run: the config, digests of the weights, settings; JSON values.

    Raises:
        UserError: the folder holds files of another run or of unknown origin.
    """
    recorded = read_run(folder)
    if recorded is None:
        if folder.is_dir() and any(folder.glob('*.npz')):
            raise UserError(f'{folder}: holds features of unknown origin (no {RUN_FILE}); pass another --out')
        with atomic_write(folder / RUN_FILE, 'w') as f:
            json.dump(run, f, indent=1)
    elif recorded != run:
        raise UserError(
            f'{folder / RUN_FILE}: the folder holds features of {recorded}, not of {run}; pass another --out'
        )


def read_run(folder: Path) -> dict | None:
    """Identity of the run that made ``folder``; None where it is not recorded.

    Raises:
        UserError: the note is not valid JSON.
    """
    return _read_json(folder / RUN_FILE, 'restore it, or delete the folder') if (folder / RUN_FILE).is_file() else None


def _note_path(folder: Path) -> Path:
    """Path beside the folder: a note inside would make an empty pose set look used."""
    return folder.with_name(f'{folder.name}.sources.json')


def _read_notes(folder: Path) -> list[dict]:
    """Sources of the files of ``folder``; none where it has no files."""
    path = _note_path(folder)
    if not path.is_file() or not any(folder.glob('*.npz')):
        return []
    notes = _read_json(path, 'delete it, then any source is accepted')
    return notes if isinstance(notes, list) else [notes]


def _read_json(path: Path, hint: str) -> Any:
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as e:
        raise UserError(f'{path}: no valid JSON ({e}); {hint}') from e


def _as_json(source: Mapping[str, Any]) -> dict:
    return json.loads(json.dumps(source, default=str))


def _without_inputs(note: dict) -> dict:
    return {key: value for key, value in note.items() if key != 'inputs'}


def _find_note(notes: list[dict], source: Mapping[str, Any]) -> dict | None:
    return next((note for note in notes if _without_inputs(note) == _as_json(source)), None)


def _recorded_inputs(notes: list[dict]) -> dict[str, str]:
    return {video: digest for note in notes for video, digest in note.get('inputs', {}).items()}
