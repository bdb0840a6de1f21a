"""FSJump6: six figure skating jumps, from the public VPD release's ``fs`` folder."""

from pathlib import Path

from ..errors import UserError
from ..structures import Action
from .labels import LabelSet, check_interval
from .splits import read_few_shot, read_labels, read_lines, read_localize
from .video_table import find_video_meta

CLASSES = ('axel', 'flip', 'loop', 'lutz', 'salchow', 'toe_loop')
#: Paper 4: the competitions of this year are the test set; their names end in it.
TEST_YEAR = '2018'


def read_fsjump6(source: Path, meta: Path | None = None) -> LabelSet:
    """Read ``all.txt`` (``<video>:<start>:<end> <jump>``), ``val.ids.txt`` and the lists.

    The interval is the jump as annotated, end exclusive; the window around it
    belongs to recognition.

    Args:
        source: The release's ``action_dataset/fs``.
        meta: ``fs.video_meta.json``; by default beside or above the source.

    Raises:
        UserError: a file is missing, or a line is off.
    """
    videos = find_video_meta(source, 'fs', meta)
    validation = set(read_lines(source / 'val.ids.txt'))
    path = source / 'all.txt'
    actions = []
    for action_id, label in read_labels(path).items():
        if label not in CLASSES:
            raise UserError(f'{path}: {action_id} has label {label!r}, known are {", ".join(CLASSES)}')
        video, start, end = check_interval(action_id, path, videos)
        year = video.split('_program_')[-1].split('_')[0]
        split = 'test' if year == TEST_YEAR else 'val' if action_id in validation else 'train'
        actions.append(Action(action_id, video, start, end, CLASSES.index(label), split))
    train_ids = {a.action_id for a in actions if a.split == 'train'}
    return LabelSet(
        sport='figure_skating',
        videos=videos,
        classes=list(CLASSES),
        actions=actions,
        few_shot=read_few_shot(source, train_ids),
        localize=read_localize(source, videos),
    )
