"""Tennis7: seven swings, from the folder ``tennis`` of the public VPD release."""

from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError
from ..structures import Action
from .id_lists import read_few_shot, read_labels, read_lines, read_localize, split_id
from .labels import LabelSet
from .video_table import VideoMeta, find_video_meta

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
PLAYERS = ('front', 'back')
#: Matches of the test set (paper 4).
TEST_MATCHES = frozenset(
    {
        'usopen_2015_mens_final_federer_djokovic',
        'usopen_2019_womens_osaka_gauff',
        'wimbledon_2019_mens_semifinal_federer_nadal',
        'wimbledon_2019_womens_final_halep_williams',
    }
)


def read_tennis7(source: Path, meta: Path | None = None) -> LabelSet:
    """Read ``all.txt`` (``<match>:<front|back>:<frame of the match> <swing>``), ``val.ids.txt`` and the lists.

    Every player of a clip is a video of its own, ``front__<clip>`` and ``back__<clip>``, as in the release's poses and
    features.  An action is the frame of contact, [f, f + 1); recognition adds the window around it.  ``detect`` holds
    all swings, including serves, as one class.

    Args:
        source: Folder ``action_dataset/tennis`` of the release.
        meta: ``tennis.video_meta.json``; by default in the source or its parent.

    Raises:
        UserError: a file is missing, or a line is invalid.
    """
    clip_meta = find_video_meta(source, 'tennis', meta)
    videos = {f'{player}__{clip}': clip_meta[clip] for clip in clip_meta for player in PLAYERS}
    clips = _clips_by_match(clip_meta)
    validation = set(read_lines(source / 'val.ids.txt'))
    path = source / 'all.txt'
    actions, swings = [], []
    labels = read_labels(path)
    for action_id, label in labels.items():
        if label in NO_SWINGS:
            continue
        if label not in CLASSES + OTHER_SWINGS:
            raise UserError(f'{path}: {action_id} has label {label!r}, known are {", ".join(CLASSES + OTHER_SWINGS)}')
        match, player, contact = split_id(action_id, path, '<match>:<front|back>:<frame>')
        if player not in PLAYERS:
            raise UserError(f'{path}: {action_id} names player {player!r}, known are {", ".join(PLAYERS)}')
        if not contact.isdigit():
            raise UserError(f'{path}: {action_id}: the frame of contact must be a number, found {contact!r}')
        try:
            clip, frame = _clip_of(int(contact), clips.get(match, []))
        except ValueError as e:
            raise UserError(f'{path}: {action_id}: {e} of {match!r}; pass the --meta of this release') from e
        split = 'test' if match in TEST_MATCHES else 'val' if action_id in validation else 'train'
        video = f'{player}__{clip}'
        swings.append(Action(action_id, video, frame, frame + 1, 0, split))
        if label in CLASSES:
            actions.append(Action(action_id, video, frame, frame + 1, CLASSES.index(label), split))
    return LabelSet(
        sport='tennis',
        videos=videos,
        classes=list(CLASSES),
        actions=actions,
        few_shot=read_few_shot(source, actions, others=labels.keys() - {a.action_id for a in actions}),
        localize=read_localize(source, videos, prefixes=[f'{player}__' for player in PLAYERS]),
        detect=swings,
    )


def _clips_by_match(clip_meta: Mapping[str, VideoMeta]) -> dict[str, list[tuple[int, int, str]]]:
    """Return match to its clips (first frame, end, name), sorted."""
    clips: dict[str, list[tuple[int, int, str]]] = {}
    for clip, meta in clip_meta.items():
        match, *ends = clip.rsplit('_', 2)
        if len(ends) != 2 or not all(end.isdigit() for end in ends):
            raise UserError(f'video {clip}: tennis clips are named <match>_<first frame>_<last frame>')
        clips.setdefault(match, []).append((int(ends[0]), int(ends[0]) + meta.num_frames, clip))
    return {match: sorted(items) for match, items in clips.items()}


def _clip_of(frame: int, clips: list[tuple[int, int, str]]) -> tuple[str, int]:
    """Return the clip that contains a frame of the match, and the frame's number in the clip.

    Of overlapping clips the one with the largest distance to its ends is taken.

    Raises:
        ValueError: no clip contains the frame.
    """
    containing = [item for item in clips if item[0] <= frame < item[1]]
    if not containing:
        raise ValueError(f'frame {frame} is in no clip')
    first, _, clip = max(containing, key=lambda item: min(frame - item[0], item[1] - frame))
    return clip, frame - first
