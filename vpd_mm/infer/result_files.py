"""Whether a file is one that an inferencer wrote, and so may be written anew."""

import json
from pathlib import Path

from ..visualize.video_writer import VIDEO_MARK, check_video, foreign_file, read_comment

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
                raise foreign_file(path)


def check_overlay(path: Path) -> None:
    """Check that an overlay may be written.

    Raises:
        UserError: the file exists and is not an overlay.
    """
    if not is_our_overlay(path):
        check_video(path)


def is_our_overlay(path: Path) -> bool:
    """True for a video that carries our mark, or (early versions wrote none) that lies beside its json."""
    comment = read_comment(path)
    if comment is None or comment == VIDEO_MARK:
        return comment == VIDEO_MARK
    rows = [p for p in path.parent.glob('*.json') if p.stem == path.stem or p.stem.endswith(f'__{path.stem}')]
    sources = [Path(row['source']) for row in map(_our_json, rows) if row]
    return any(source.exists() and source.resolve() != path.resolve() for source in sources)


def _our_json(path: Path) -> dict | None:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() >= _FIELDS else None
