"""The four data sets of the paper in their public formats, with a few short videos each."""

import gzip
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vpd_mm.importers import fsjump6, tennis7

SIDE = 32
#: Least number of actions of a class by split; the first two of 'train' are those of the few-shot lists.
COUNTS = {'train': 2, 'val': 1, 'test': 1}
LISTS = [(k, subset) for k in (1, 2) for subset in (0, 1)]
META = {'fps': 25.0, 'num_frames': 300, 'width': 320, 'height': 240}
SPORTS = ('fsjump6', 'tennis7', 'fx35', 'diving48')


@dataclass
class SportFiles:
    """What a user has of one data set.

    Args:
        labels: Folder of the label files and lists; the table of videos lies one folder up.
        release: Folder with ``pose/`` and ``crops/`` of the public release.
        videos: Video as the corpus names it to its row of the table.
        actions: Id to (video, first frame, end, label as in the files, split before the import).
        lists: (k, subset) to ids.
        orders: Training videos of detection by list.
        num_classes: Of the data set.
        others: Number of actions that only detection has.
    """

    labels: Path
    release: Path
    videos: dict[str, dict]
    actions: dict[str, tuple[str, int, int, str, str]]
    lists: dict[tuple[int, int], list[str]]
    orders: dict[int, list[str]] = field(default_factory=dict)
    num_classes: int = 0
    others: int = 0


def write_sport(root: Path, sport: str, published: Path | None = None) -> SportFiles:
    """Write a data set under ``root``; ids are those of the published lists where these are given."""
    files = WRITERS[sport](root, published)
    rng = np.random.default_rng(0)
    frames = defaultdict(set)
    for video, start, end, label, _ in files.actions.values():
        shown = set(range(max(0, start - 4), min(end + 2, files.videos[video]['num_frames'])))
        write_media(files.release, video, shown - frames[video], label, files.videos[video], rng)
        frames[video] |= shown
    for video, inds in frames.items():
        write_poses(files.release / 'pose' / video, sorted(inds), rng, files.videos[video])
    return files


def write_media(release: Path, video: str, frames: Iterable[int], label: str, meta: dict, rng) -> None:
    """Crops ``<frame>.png`` with a square whose place is the class, ``<frame>.flow.png``; as the published code."""
    folder, first = release / 'crops' / video, 0
    if '__' in video:
        player, clip = video.split('__')
        match, first, _ = clip.rsplit('_', 2)
        folder = release / 'crops' / match / player
    folder.mkdir(parents=True, exist_ok=True)
    place = sum(map(ord, label)) % 20
    flow = np.full((SIDE, SIDE, 3), 127, np.uint8)
    for frame in frames:
        image = rng.integers(90, 110, (SIDE, SIDE, 3), dtype=np.uint8)
        image[place : place + 10, 4:20] = 220
        name = frame + int(first)
        cv2.imwrite(str(folder / f'{name}.png'), image)
        cv2.imwrite(str(folder / f'{name}.flow.png'), flow)


def write_poses(folder: Path, frames: list[int], rng, meta: dict) -> None:
    """``boxes.json``, ``coco_keypoints.json.gz`` and ``meta.json`` of one video; every tenth pose has low scores."""
    folder.mkdir(parents=True)
    box = [100, 60, 80, 120]
    joints = rng.uniform((100, 60), (180, 180), (len(frames), 17, 2)).round(1)
    poses = [
        [frame, [[0.9, box, [[x, y, 0.2 if frame % 10 == 0 else 0.9] for x, y in points]]]]
        for frame, points in zip(frames, joints.tolist(), strict=True)
    ]
    (folder / 'meta.json').write_text(json.dumps(meta))
    (folder / 'boxes.json').write_text(json.dumps([[frame, box] for frame in frames]))
    (folder / 'coco_keypoints.json.gz').write_bytes(gzip.compress(json.dumps(poses).encode()))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text(''.join(f'{line}\n' for line in lines))


def write_lists(labels: Path, by_class: Mapping[str, list[str]]) -> dict[tuple[int, int], list[str]]:
    """``train_<k>_<subset>.ids.txt``: of the first two training ids of a class, in turn."""
    lists = {
        (k, i): sorted(n for ids in by_class.values() for n in (ids[i : i + 1] if k == 1 else ids)) for k, i in LISTS
    }
    for (k, subset), ids in lists.items():
        write_lines(labels / f'train_{k}_{subset}.ids.txt', ids)
    return lists


def first_two(actions: Mapping[str, tuple]) -> dict[str, list[str]]:
    """Class to its first two training ids."""
    by_class = defaultdict(list)
    for action_id, (*_, label, split) in actions.items():
        if split == 'train':
            by_class[label].append(action_id)
    return {label: ids[:2] for label, ids in by_class.items()}


def choose(actions: Mapping[str, tuple], group) -> dict[str, tuple]:
    """Actions of few groups (videos) that together have ``COUNTS`` of every class."""
    wanted = Counter({(label, split): COUNTS[split] for *_, label, split in actions.values()})
    groups, chosen = defaultdict(dict), {}
    for action_id, action in actions.items():
        groups[group(action)][action_id] = action
    has = {name: Counter(action[3:] for action in members.values()) for name, members in groups.items()}
    while wanted:
        best = max(has, key=lambda name: (wanted & has[name]).total() / has[name].total())
        chosen |= groups[best]
        wanted -= has.pop(best)
    return chosen


def write_skating(root: Path, published: Path | None) -> SportFiles:
    """``fs/``: all.txt, val.ids.txt, the lists; three jumps a video."""
    if published:
        meta = json.loads((published / 'fs.video_meta.json').read_text())
        labels = dict(line.split() for line in (published / 'fs/all.txt').read_text().splitlines())
        validation = set((published / 'fs/val.ids.txt').read_text().split())
    else:
        meta, labels, validation = {}, {}, set()
        for i in range(10):
            video = f'men_world_short_program_{2018 if i > 7 else 2010 + i}_{i:02d}_00000100_00000400'
            meta[video] = META
            for j in range(3):
                action_id = f'{video}:{90 + 60 * j}:{115 + 60 * j}'
                labels[action_id] = fsjump6.CLASSES[(3 * i + j) % 6]
                if i in (6, 7):
                    validation.add(action_id)
    actions = {}
    for action_id, label in labels.items():
        video, start, end = action_id.split(':')
        split = 'test' if '_2018_' in video else 'val' if action_id in validation else 'train'
        actions[action_id] = video, int(start), int(end), label, split
    actions = choose(actions, lambda action: action[0])
    folder = root / 'fs'
    folder.mkdir(parents=True)
    videos = {action[0]: meta[action[0]] for action in actions.values()}
    (root / 'fs.video_meta.json').write_text(json.dumps(videos))
    write_lines(folder / 'all.txt', (f'{name} {action[3]}' for name, action in actions.items()))
    write_lines(folder / 'val.ids.txt', (name for name, action in actions.items() if action[4] == 'val'))
    train = list(dict.fromkeys(a[0] for a in actions.values() if a[4] != 'test'))
    orders = {i: train[i:] + train[:i] for i in range(2)}
    for i, order in orders.items():
        write_lines(folder / f'train.localize.{i}.txt', order)
    lists = write_lists(folder, first_two(actions))
    return SportFiles(folder, root / 'release', videos, actions, lists, orders, 6)


def write_tennis(root: Path, published: Path | None) -> SportFiles:
    """``tennis/``: as skating; a clip has swings of both players, and a serve."""
    if published:
        table = json.loads((published / 'tennis.video_meta.json').read_text())
        # the published windows of 250 frames need longer clips
        meta = {clip: row for clip, row in table.items() if row['num_frames'] > 300}
        lines = (published / 'tennis/all.txt').read_text().splitlines()
        validation = set((published / 'tennis/val.ids.txt').read_text().split())
    else:
        meta, lines, validation = {}, [], set()
        for i in range(9):
            match = tennis7.TEST_MATCHES[i % 2] if i > 6 else f'usopen_2020_final_{"a" if i % 2 else "b"}'
            first = 1000 * (i + 1)
            meta[f'{match}_{first}_{first + 300}'] = META
            lines.append(f'{match}:front:{first + 12} serve')
            for j in range(6):
                action_id = f'{match}:{"front" if j % 2 else "back"}:{first + 30 + 25 * j}'
                lines.append(f'{action_id} {tennis7.CLASSES[(6 * i + j) % 7]}')
                if i in (5, 6):
                    validation.add(action_id)
    clips = defaultdict(list)
    for clip, row in meta.items():
        match, first, _ = clip.rsplit('_', 2)
        clips[match].append((int(first), int(first) + row['num_frames'], clip))
    swings = {}
    for line in lines:
        action_id, label = line.split()
        match, player, frame = action_id.split(':')
        inside = [c for c in clips[match] if c[0] <= int(frame) < c[1]]
        if len(inside) == 1 and label not in tennis7.NO_SWINGS:
            (first, _, clip), contact = inside[0], int(frame) - inside[0][0]
            split = 'test' if match in tennis7.TEST_MATCHES else 'val' if action_id in validation else 'train'
            swings[action_id] = f'{player}__{clip}', contact, contact + 1, label, split
    swings = choose(swings, lambda action: action[0].split('__')[1])
    folder = root / 'tennis'
    folder.mkdir(parents=True)
    names = dict.fromkeys(action[0].split('__')[1] for action in swings.values())
    (root / 'tennis.video_meta.json').write_text(json.dumps({name: meta[name] for name in names}))
    write_lines(folder / 'all.txt', (f'{name} {action[3]}' for name, action in swings.items()))
    write_lines(folder / 'val.ids.txt', (name for name, action in swings.items() if action[4] == 'val'))
    train = list(dict.fromkeys(a[0].split('__')[1] for a in swings.values() if a[4] != 'test'))
    orders = {i: train[i:] + train[:i] for i in range(2)}
    for i, order in orders.items():
        write_lines(folder / f'train.localize.{i}.txt', order)
    actions = {name: action for name, action in swings.items() if action[3] in tennis7.CLASSES}
    lists = write_lists(folder, first_two(actions))
    videos = {f'{player}__{name}': meta[name] for name in names for player in ('front', 'back')}
    both = {i: [f'{player}__{name}' for name in order for player in ('front', 'back')] for i, order in orders.items()}
    return SportFiles(folder, root / 'release', videos, swings, lists, both, 7, len(swings) - len(actions))


def write_floor(root: Path, published: Path | None) -> SportFiles:
    """``gym/``: the four files of FineGym and the lists; an element lasts 0.4 s."""
    rows = {'train': 35 * (COUNTS['train'] + COUNTS['val']), 'test': 35 * COUNTS['test']}
    table, ids = {}, {}
    if published:
        table = json.loads((published / 'fx.video_meta.json').read_text())
        few = (published / 'finegym99/train_128_0.ids.txt').read_text().split()
        ids['train'] = [name for name in few if name.partition('_A_')[0] in table][: rows['train']]
        used = {name.partition('_A_')[0] for name in few}
        others = [video for video in table if video not in used]
        ids['test'] = [f'{video}_A_0010_0011' for video in others][: rows['test']]
    else:
        for split, count in rows.items():
            ids[split] = [f'{split}{i // 7}_E_000100_000200_A_{i % 7:04d}_{i % 7 + 1:04d}' for i in range(count)]
    folder = root / 'gym'
    folder.mkdir(parents=True)
    videos, annotations, actions = {}, defaultdict(dict), {}
    for split, names in ids.items():
        lines = []
        for i, name in enumerate(names):
            video, _, element = name.partition('_A_')
            row = videos.setdefault(video, META | {'fps': table.get(video, META)['fps']})
            youtube, _, event = video.partition('_E_')
            segments = annotations[youtube].setdefault(f'E_{event}', {'event': 2, 'segments': {}})['segments']
            start = round(0.4 + 0.6 * len(segments), 1)
            segments[f'A_{element}'] = {'stages': 1, 'timestamps': [[start, start + 0.4]]}
            row['num_frames'] = int(row['fps'] * (start + 1.2))
            first, end = math.floor(start * row['fps']), math.ceil((start + 0.4) * row['fps'])
            label = str(40 + i % 35)
            actions[name] = video, first, end, label, split
            lines.append(f'{name} {label}')
        write_lines(folder / {'train': 'gym99_train_element_v1.1.txt', 'test': 'gym99_val_element.txt'}[split], lines)
    categories = [
        f'Clabel: {i}; set: 1; Glabel: {i}; ({"FX" if 40 <= i < 75 else "VT"}) element {i}' for i in range(99)
    ]
    write_lines(folder / 'gym99_categories.txt', categories)
    (folder / 'finegym_annotation_info_v1.1.json').write_text(json.dumps(annotations))
    (root / 'fx.video_meta.json').write_text(json.dumps(videos))
    return SportFiles(folder, root / 'release', videos, actions, write_lists(folder, first_two(actions)), {}, 35)


def write_dives(root: Path, published: Path | None) -> SportFiles:
    """``diving/``: the three files of Diving48 and the lists; a dive lasts a third of a second."""
    rows = {'train': 48 * (COUNTS['train'] + COUNTS['val']), 'test': 48 * COUNTS['test']}
    if published:
        few = (published / 'diving48/train_16_0.ids.txt').read_text().split()
        others = set(json.loads((published / 'diving48.video_meta.json').read_text())).difference(few)
        ids = {'train': few[: rows['train']], 'test': sorted(others)[: rows['test']]}
    else:
        ids = {split: [f'{split}_{i:05d}' for i in range(count)] for split, count in rows.items()}
    folder = root / 'diving'
    folder.mkdir(parents=True)
    videos = {name: META | {'num_frames': 10} for names in ids.values() for name in names}
    actions = {}
    for split, names in ids.items():
        rows = [{'vid_name': n, 'label': i % 48, 'start_frame': 1, 'end_frame': 9} for i, n in enumerate(names)]
        actions |= {row['vid_name']: (row['vid_name'], 1, 9, str(row['label']), split) for row in rows}
        (folder / f'Diving48_V2_{split}.json').write_text(json.dumps(rows))
    vocabulary = [['Forward', '15som', f'{i}Twis', 'FREE'] for i in range(48)]
    (folder / 'Diving48_vocab.json').write_text(json.dumps(vocabulary))
    (root / 'diving48.video_meta.json').write_text(json.dumps(videos))
    return SportFiles(folder, root / 'release', videos, actions, write_lists(folder, first_two(actions)), {}, 48)


WRITERS = {'fsjump6': write_skating, 'tennis7': write_tennis, 'fx35': write_floor, 'diving48': write_dives}
