"""Whether a file is one that an inferencer wrote, and so may be written anew."""

import json
from pathlib import Path

import av

from ..errors import UserError

#: Comment inside the films.
FILM_MARK = 'made by vpd_mm'
#: Fields by which our json is told from anybody's.
_FIELDS = frozenset(['name', 'source', 'mode', 'num_frames', 'frames_with_box', 'frames_with_feature', 'segments'])


def result_paths(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """The json of one athlete, the track, the features."""
    return folder / f'{name}.json', folder / 'tracks' / f'{name}.npz', folder / 'features' / f'{name}.npz'


def check_results(folder: Path, name: str) -> None:
    """Raises UserError where the files of one athlete are there and are somebody else's."""
    row, *arrays = result_paths(folder, name)
    if not _our_json(row):  # the npz's belong to the json: one alone may be a corpus's
        for path in (row, *arrays):
            if path.exists():
                raise _foreign(path)


def check_film(path: Path) -> None:
    """Raises UserError where a film is there and is somebody else's."""
    if path.exists() and not is_our_film(path):
        raise _foreign(path)


def check_sheet(path: Path, film: Path) -> None:
    """Raises UserError where a picture is there and is somebody else's: ours is written after the film beside it."""
    if path.exists() and not (film.exists() and is_our_film(film)):
        raise _foreign(path)


def is_our_film(path: Path) -> bool:
    """A film that says so, or (films did not always) that has the json of another video beside it."""
    try:
        with av.open(str(path)) as container:
            if container.metadata.get('comment') == FILM_MARK:
                return True
    except (av.FFmpegError, OSError, ValueError):
        return False
    rows = [p for p in path.parent.glob('*.json') if p.stem == path.stem or p.stem.endswith(f'__{path.stem}')]
    sources = [Path(row['source']) for row in map(_our_json, rows) if row]
    return any(source.exists() and source.resolve() != path.resolve() for source in sources)


def _our_json(path: Path) -> dict | None:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() >= _FIELDS else None


def _foreign(path: Path) -> UserError:
    return UserError(f'{path}: exists and was not written by this tool; move it away or write into another folder')
