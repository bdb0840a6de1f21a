"""Files of an inferencer, and the check that they may be overwritten."""

import json
from pathlib import Path

from ..visualize.video_writer import VIDEO_MARK, check_video, foreign_file, read_comment

#: Fields by which a JSON file of an inferencer is recognised.
_FIELDS = frozenset(['name', 'source', 'mode', 'num_frames', 'frames_with_box', 'frames_with_feature', 'segments'])


def result_paths(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Paths of the JSON file, the track and the features of one athlete."""
    return folder / f'{name}.json', folder / 'tracks' / f'{name}.npz', folder / 'features' / f'{name}.npz'


def check_results(folder: Path, name: str) -> None:
    """Check that the files of one athlete may be written.

    Raises:
        UserError: one exists and was not written by an inferencer.
    """
    paths = result_paths(folder, name)
    if _read_result(paths[0]) is None:  # arrays without our JSON may belong to a corpus
        for path in paths:
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
    """True for a video that carries our mark or (early versions wrote none) lies beside its JSON file."""
    comment = read_comment(path)
    if comment is None or comment == VIDEO_MARK:
        return comment == VIDEO_MARK
    files = [p for p in path.parent.glob('*.json') if p.stem == path.stem or p.stem.endswith(f'__{path.stem}')]
    sources = [Path(row['source']) for row in map(_read_result, files) if row]
    return any(source.exists() and source.resolve() != path.resolve() for source in sources)


def _read_result(path: Path) -> dict | None:
    """Content of a JSON file of an inferencer; None for other files."""
    try:
        row = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) and row.keys() >= _FIELDS else None
