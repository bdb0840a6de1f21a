"""Tennis7: seven swings, from the folder ``tennis`` of the public VPD release."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..corpus import VideoInfo
from ..errors import UserError
from ..structures import Action, read_lines
from .labels import LabelSet
from .release_lists import find_video_meta, read_few_shot, read_labels, read_localize, split_id

CLASSES = (
    'forehand_topspin',
    'forehand_slice',
    'forehand_volley',
    'backhand_topspin',
    'backhand_slice',
    'backhand_volley',
    'overhead',
)
#: Further swings of detection (paper 4.3), which are no classes of recognition.
OTHER_SWINGS = ('serve', 'unknown_swing')
#: Annotated, but no swing that the paper uses.
NO_SWINGS = ('nonshot', 'special')
#: Matches of the test set (paper 4).
TEST_MATCHES = (
    'usopen_2015_mens_final_federer_djokovic',
    'usopen_2019_womens_osaka_gauff',
    'wimbledon_2019_mens_semifinal_federer_nadal',
    'wimbledon_2019_womens_final_halep_williams',
)


def read_tennis7(source: Path, meta: Path | None = None) -> LabelSet:
    """Read ``all.txt`` (``<match>:<front|back>:<frame of the match> <swing>``), ``val.ids.txt`` and the lists.

    Every player of a clip is a video of its own, ``front__<clip>`` and ``back__<clip>``, as in the release's poses and
    features.  An action is the frame of contact, [f, f + 1); recognition adds the window around it.  ``detect`` holds
    all swings, including serves, as one class.

    Args:
        source: Folder ``action_dataset/tennis`` of the release.
        meta: ``tennis.video_meta.json``; by default in the source or its parent.
    """
    table = find_video_meta(source, 'tennis', meta)
    videos = {
        video: replace(info, video=video)
        for clip, info in table.items()
        for video in (f'front__{clip}', f'back__{clip}')
    }
    clips = _clips_by_match(table)
    validation = set(read_lines(source / 'val.ids.txt'))
    path = source / 'all.txt'
    actions, swings = [], []
    labels = read_labels(path, CLASSES + OTHER_SWINGS + NO_SWINGS)
    for action_id, label in labels.items():
        if label in NO_SWINGS:
            continue
        form = '<match>:<front|back>:<frame of contact>'
        match, player, number = split_id(action_id, r'([^:]+):(front|back):(\d{1,9})', form, path)
        contact = int(number)
        containing = [clip for clip in clips.get(match, []) if clip[0] <= contact < clip[1]]
        if not containing:
            problem = f'frame {contact} is in no clip of {match!r}'
            raise UserError(f'{path}: {action_id}: {problem}; pass the --meta of this release')
        # Clips may overlap: take the one with the largest distance to its ends.
        first, _, clip = max(containing, key=lambda item: min(contact - item[0], item[1] - contact))
        frame = contact - first
        split = 'test' if match in TEST_MATCHES else 'val' if action_id in validation else 'train'
        swing = Action(action_id, f'{player}__{clip}', frame, frame + 1, 0, split)
        swings.append(swing)
        if label in CLASSES:
            actions.append(replace(swing, label=CLASSES.index(label)))
    return LabelSet(
        sport='tennis',
        dataset='tennis7',
        videos=videos,
        classes=list(CLASSES),
        actions=actions,
        few_shot=read_few_shot(source, actions, others=labels.keys() - {a.action_id for a in actions}),
        localize=read_localize(source, videos, prefixes=('front__', 'back__')),
        detect=swings,
    )


def _clips_by_match(table: Mapping[str, VideoInfo]) -> dict[str, list[tuple[int, int, str]]]:
    """Return match to its clips (first frame, end, name), sorted."""
    clips = defaultdict(list)
    for clip, info in table.items():
        parsed = re.fullmatch(r'(.+)_(\d{1,9})_(\d{1,9})', clip)
        if parsed is None:
            raise UserError(f'video {clip}: tennis clips are named <match>_<first frame>_<last frame>')
        first = int(parsed[2])
        clips[parsed[1]].append((first, first + info.num_frames, clip))
    return {match: sorted(items) for match, items in clips.items()}
