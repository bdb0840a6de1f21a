"""Tennis7: seven swings, from the public VPD release's ``tennis`` folder."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError
from ..structures import Action
from .labels import LabelSet, split_id
from .splits import read_few_shot, read_labels, read_lines, read_localize
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
#: What else is a swing for detection (paper 4.3), though not a class of recognition.
OTHER_SWINGS = ('serve', 'unknown_swing')
#: Annotated, but no swing that the paper uses.
NO_SWINGS = ('nonshot', 'special')
PLAYERS = ('front', 'back')
#: Paper 4: the matches that are the test set.
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

    Every player of a clip is a video of its own, ``front__<clip>`` and
    ``back__<clip>``, as in the release's poses and features.  An action is the
    frame of contact, [f, f + 1); the window around it belongs to recognition.
    ``detect`` holds all swings, serves among them, as one class.

    Args:
        source: The release's ``action_dataset/tennis``.
        meta: ``tennis.video_meta.json``; by default beside or above the source.

    Raises:
        UserError: a file is missing, or a line is off.
    """
    clip_meta = find_video_meta(source, 'tennis', meta)
    videos = {f'{player}__{clip}': clip_meta[clip] for clip in clip_meta for player in PLAYERS}
    clips = _by_match(clip_meta)
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
        clip, frame = _clip_of(match, contact, clips, action_id, path)
        split = 'test' if match in TEST_MATCHES else 'val' if action_id in validation else 'train'
        video = f'{player}__{clip}'
        swings.append(Action(action_id, video, frame, frame + 1, 0, split))
        if label in CLASSES:
            actions.append(Action(action_id, video, frame, frame + 1, CLASSES.index(label), split))
    classified = {a.action_id for a in actions}
    train_ids = {a.action_id for a in actions if a.split == 'train'}
    return LabelSet(
        sport='tennis',
        videos=videos,
        classes=list(CLASSES),
        actions=actions,
        few_shot=read_few_shot(source, train_ids, others=labels.keys() - classified),
        localize=read_localize(source, videos, prefixes=[f'{player}__' for player in PLAYERS]),
        detect=swings,
    )


def _by_match(clip_meta: Mapping[str, VideoMeta]) -> dict[str, list[tuple[int, int, str]]]:
    """Match to its clips (first frame, end, name), in order of the first frame."""
    clips: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for clip, meta in clip_meta.items():
        match, *ends = clip.rsplit('_', 2)
        if len(ends) != 2 or not all(end.isdigit() for end in ends):
            raise UserError(f'video {clip}: tennis clips are named <match>_<first frame>_<last frame>')
        first = int(ends[0])
        clips[match].append((first, first + meta.num_frames, clip))
    return {match: sorted(items) for match, items in clips.items()}


def _clip_of(
    match: str, contact: str, clips: Mapping[str, list[tuple[int, int, str]]], action_id: str, path: Path
) -> tuple[str, int]:
    """The clip that holds the frame of contact, and the frame's number in it; of overlapping clips the deepest."""
    if not contact.isdigit():
        raise UserError(f'{path}: {action_id}: the frame of contact must be a number, found {contact!r}')
    frame = int(contact)
    known = clips.get(match, [])
    before = known[: bisect_right(known, frame, key=lambda item: item[0])]
    holding = [item for item in before if frame < item[1]]
    if not holding:
        raise UserError(f'{path}: {action_id}: no clip of {match!r} holds the frame; pass the --meta of this release')
    first, _, clip = max(holding, key=lambda item: min(frame - item[0], item[1] - frame))
    return clip, frame - first
