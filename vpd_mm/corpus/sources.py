"""What the files of a folder were made of: a rerun that names another source says so instead of keeping them."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..engine.locks import file_lock
from ..errors import UserError
from ..structures import atomic_write


def claim_source(folder: Path, source: dict, kept: Sequence[str], cure: str) -> None:
    """Note beside ``folder`` that files in it are made of ``source``.

    Another source is welcome for videos that have no file yet (those whose detection failed get boxes by hand); where
    a video has one, the new source would not be looked at, so it is refused.  A folder that holds files without a
    note is of an older version or another tool, and is taken as it is.

    Args:
        folder: Of ``<video>.npz``.
        source: What this run makes them of, as JSON can say it.
        kept: Videos of this run that have their file and keep it.
        cure: What the user can do about a refusal.

    Raises:
        UserError: ``kept`` names videos, and none of the sources noted is this one.
    """
    path = folder.with_name(f'{folder.name}.sources.json')  # an empty folder would pass for a pose set
    source = json.loads(json.dumps(source, default=str))
    with file_lock(folder.with_name('.sources.lock'), wait_sec=60, busy=f'{path}: locked for a minute'):
        filled = any(folder.glob('*.npz'))
        known = _read(path) if filled else []
        if source in known or (filled and not known):
            return
        if kept:
            found = ' or '.join(map(str, known))
            raise UserError(
                f'{folder}: {len(kept)} videos (first {kept[0]}) have files made of {found}, which a rerun keeps; '
                f'asked for {source}; {cure}'
            )
        with atomic_write(path, 'w') as f:
            json.dump([*known, source], f, indent=1)


def _read(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    try:
        known = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as e:
        raise UserError(f'{path}: no valid JSON ({e}); delete it, then any source is taken') from e
    return known if isinstance(known, list) else [known]
