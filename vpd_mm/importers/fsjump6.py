"""FSJump6: six figure skating jumps, from the folder ``fs`` of the public VPD release."""

from pathlib import Path

from ..errors import UserError
from ..structures import Action, read_lines
from .labels import LabelSet
from .release_lists import find_video_meta, read_few_shot, read_labels, read_localize, split_id

CLASSES = ('axel', 'flip', 'loop', 'lutz', 'salchow', 'toe_loop')
#: The competitions of this year are the test set (paper 4); the names of their videos contain it.
TEST_YEAR = '2018'


def read_fsjump6(source: Path, meta: Path | None = None) -> LabelSet:
    """Read ``all.txt`` (``<video>:<start>:<end> <jump>``), ``val.ids.txt`` and the lists; see :class:`LabelSet`.

    The interval is the jump as annotated, end exclusive; recognition adds the window around it.

    Args:
        source: Folder ``action_dataset/fs`` of the release.
        meta: ``fs.video_meta.json``; by default in the source or its parent.
    """
    videos = find_video_meta(source, 'fs', meta)
    validation = set(read_lines(source / 'val.ids.txt'))
    path = source / 'all.txt'
    actions = []
    for action_id, label in read_labels(path, CLASSES).items():
        video, *ends = split_id(action_id, r'([^:]+):(\d{1,9}):(\d{1,9})', '<video>:<start>:<end>', path)
        if video not in videos:
            raise UserError(f'{path}: {action_id}: the video is not in the table; pass the --meta of this release')
        start, end = (int(number) for number in ends)
        num_frames = videos[video].num_frames
        if not start < end <= num_frames:
            raise UserError(f'{path}: {action_id}: needs start < end <= {num_frames}, the frames of the video')
        year = video.split('_program_')[-1].split('_')[0]
        split = 'test' if year == TEST_YEAR else 'val' if action_id in validation else 'train'
        actions.append(Action(action_id, video, start, end, CLASSES.index(label), split))
    return LabelSet(
        sport='figure_skating',
        dataset='fsjump6',
        videos=videos,
        classes=list(CLASSES),
        actions=actions,
        few_shot=read_few_shot(source, actions),
        localize=read_localize(source, videos),
    )
