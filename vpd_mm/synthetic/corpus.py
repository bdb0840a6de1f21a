"""The synthetic sport as a corpus: videos, boxes and labels, with the ground truth in a folder of its own."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, astuple, fields
from pathlib import Path

import numpy as np

from ..corpus import Corpus, VideoInfo
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import list_folder, read_json, read_text, write_json, write_text
from ..structures import Action, load_actions, load_classes
from ..visualize.video_writer import VideoWriter
from .generation import check_counts, check_recipe, run_jobs
from .ground_truth import GroundTruth
from .routine import CLASSES
from .shot import SPLITS, SportRecipe, VideoPlan, jittered_track, perform_plan, plan_videos

SPORT = 'synthetic tumbling'
#: Increased whenever the same seed would give other images or ground truth.
RECIPE = 1
_RECIPE_FILE = 'synthetic.json'


def make_sport(
    out: str | os.PathLike,
    train: int = 48,
    val: int = 8,
    test: int = 24,
    recipe: SportRecipe | None = None,
    workers: int = 1,
    on_progress: OnProgress = no_progress,
    unlabelled: int = 0,
) -> Corpus:
    """Make the synthetic sport; a rerun makes only the missing videos, larger numbers extend the corpus.

    Besides the layout of every corpus it writes, for evaluation only, ``ground_truth/scenes/<video>.npz``
    (:class:`GroundTruth`), ``ground_truth/poses/<video>.npz`` (PoseSequence) and ``ground_truth/performed.csv``.
    If the folder was moved, a rerun corrects the paths in videos.csv.

    Args:
        out: Folder, new, empty, or made by this function with the same recipe.
        train, val, test: Number of videos of each split.
        recipe, workers: Seed and sizes; processes, on whose number the result does not depend.
        on_progress: Called with (done, total) at the start and after every video.
        unlabelled: Number of videos without labels, with athletes of their own, for distillation.

    Raises:
        UserError: a number is invalid, the folder holds something else, or the user has changed one of its tables.
    """
    recipe = recipe or SportRecipe()
    counts = {'train': train, 'val': val, 'test': test, 'unlabelled': unlabelled}
    check_counts(counts, 9999, workers)
    root = Path(out)
    content = {'recipe': RECIPE, **asdict(recipe)}
    corpus = Corpus.create(root, 'synthetic', sport=SPORT)
    if (root / _RECIPE_FILE).is_file():
        check_recipe(root / _RECIPE_FILE, content)
    elif corpus.sport != SPORT or corpus.videos():  # interrupted between its first two files, a run left no videos
        raise UserError(f'{root}: a corpus, but not of the synthetic sport (no {_RECIPE_FILE}); pass another --out')
    with corpus.lock():
        write_json(root / _RECIPE_FILE, content, indent=1, sort_keys=True)
        plans = [p for s in SPLITS for p in plan_videos(recipe, s, max(counts[s], _num_made(root, s)))]
        jobs = [(root, recipe, plan) for plan in plans if not _video_path(root, plan.name).is_file()]
        _check_unedited(corpus, plans)
        run_jobs(make_video, jobs, workers, on_progress, len(plans) - len(jobs), len(plans))
        with corpus.lock_labels():
            _check_unedited(corpus, plans)  # again: somebody may have labelled meanwhile
            _write_tables(corpus, recipe, plans)
    return corpus


def make_video(root: Path, recipe: SportRecipe, plan: VideoPlan) -> int:
    """Perform, record and encode a plan; the mp4 is written last and marks that all its files exist; return 1."""
    renderer, performed, arrays, rng = perform_plan(recipe, plan)
    num, fps = len(renderer), renderer.venue.fps
    visibility = np.zeros((num, 17), np.uint8)
    # One thread, so that a machine repeats its bytes.
    options = {'crf': str(rng.integers(22, 28)), 'threads': '1', 'g': '50'}
    with VideoWriter(_video_path(root, plan.name), fps, options, mark=False) as writer:
        for frame in range(num):
            image, (visibility[frame],) = renderer.render(frame)
            writer.write(image)
        ground_truth = GroundTruth(visibility=visibility, **arrays)
        ground_truth.save(_scene_path(root, plan.name))
        ground_truth.poses().save(root / 'ground_truth' / 'poses' / f'{plan.name}.npz')
        jittered_track(ground_truth, rng).save(root / 'athlete' / 'tracks' / f'{plan.name}.npz')
        skills = [
            {
                'label': CLASSES.index(done.skill.name),
                'start_frame': max(round(done.start_sec * fps), 0),
                'end_frame': min(round(done.end_sec * fps) + 1, num),
                'takeoff_sec': round(done.takeoff_sec, 4),
                'landing_sec': round(done.landing_sec, 4),
                'twists_to': 'left' if done.handed > 0 else 'right',
            }
            for done in performed
        ]
        athlete, venue = f'{plan.split}_{plan.athlete:03d}', renderer.venue.name
        index = {'fps': fps, 'num_frames': num, 'venue': venue, 'athlete': athlete, 'performed': skills}
        write_json(_index_path(root, plan.name), index, indent=1, sort_keys=True)
    return 1


def _scene_path(root: Path, name: str) -> Path:
    return root / 'ground_truth' / 'scenes' / f'{name}.npz'


def _video_path(root: Path, name: str) -> Path:
    return root / 'videos' / f'{name}.mp4'


def _index_path(root: Path, name: str) -> Path:
    return root / 'ground_truth' / 'index' / f'{name}.json'


def _num_made(root: Path, split: str) -> int:
    videos = list_folder(root / 'videos', f'{split}_[0-9][0-9][0-9][0-9].mp4')
    return max((int(path.stem[-4:]) + 1 for path in videos), default=0)


def _check_unedited(corpus: Corpus, plans: list[VideoPlan]) -> None:
    """Refuse to replace tables that differ from those of the videos that they name: the user has edited them."""
    tables = _tables(corpus, [plan for plan in plans if _index_path(corpus.root, plan.name).is_file()])
    for path, (header, rows) in tables.items():
        if path.is_file():
            text = read_text(path)
            ends = [name for name, lines in rows.items() if lines and lines in text]  # of each split the first videos
            made = (lines for name, lines in rows.items() if any(name[:-4] == end[:-4] and name <= end for end in ends))
            if text != header + ''.join(made):
                raise UserError(
                    f'{path}: was changed since it was made, and would be replaced; move it away, or pass another --out'
                )


def _write_tables(corpus: Corpus, recipe: SportRecipe, plans: list[VideoPlan]) -> None:
    rows = []
    for plan in plans:
        index, path = _read_index(corpus, plan), str(_video_path(corpus.root, plan.name).resolve())
        rows.append(VideoInfo(plan.name, path, index['fps'], index['num_frames'], recipe.width, recipe.height))
    corpus.add_videos(rows)
    for table, (header, lines) in _tables(corpus, plans).items():
        write_text(table, header + ''.join(lines.values()))


def _tables(corpus: Corpus, plans: list[VideoPlan]) -> dict[Path, tuple[str, dict[str, str]]]:
    """Path to header and lines of each video: classes.txt, actions.csv and performed.csv."""
    actions, performed = {}, {}
    for plan in plans:
        index, rows = _read_index(corpus, plan), []
        for k, done in enumerate(index['performed'] if plan.split != 'unlabelled' else ()):
            span = done['start_frame'], done['end_frame']
            action = Action(f'{plan.name}_{k}', plan.name, *span, done['label'], plan.split)
            flight = done['takeoff_sec'], done['landing_sec']
            rows.append((action, (index['athlete'], index['venue'], *flight, done['twists_to'])))
        actions[plan.name] = ''.join(_line(astuple(action)) for action, _ in rows)
        performed[plan.name] = ''.join(_line((action.action_id, *more)) for action, more in rows)
    columns = ('action_id', 'athlete', 'venue', 'takeoff_sec', 'landing_sec', 'twists_to')
    return {
        corpus.classes_path: (''.join(f'{name}\n' for name in CLASSES), {}),
        corpus.actions_path: (_line([field.name for field in fields(Action)]), actions),
        corpus.root / 'ground_truth' / 'performed.csv': (_line(columns), performed),
    }


def _line(values: Iterable[object]) -> str:
    return ','.join(map(str, values)) + '\n'


def _read_index(corpus: Corpus, plan: VideoPlan) -> dict:
    return read_json(_index_path(corpus.root, plan.name), 'delete the folder to make it again')


def sport_statistics(corpus: Corpus) -> dict[str, str]:
    """Return name to value, ready to print; reads the labels and the ground truth."""
    videos, actions = corpus.videos(), load_actions(corpus.actions_path)
    frames = sum(v.num_frames for v in videos.values())
    labelled = Counter[str]()
    for action in actions:
        labelled[action.video] += action.num_frames
    shares = [n / videos[name].num_frames for name, n in labelled.items()]
    share = labelled.total() / max(sum(videos[name].num_frames for name in labelled), 1)
    seconds = [v.num_frames / v.fps for v in videos.values()]
    scenes = [GroundTruth.load(_scene_path(corpus.root, name)) for name in videos]
    heights = np.concatenate([scene.boxes[:, 3] - scene.boxes[:, 1] for scene in scenes])
    visibility = np.concatenate([scene.visibility for scene in scenes])
    num_bytes = sum(path.stat().st_size for path in list_folder(corpus.root / 'videos', '*.mp4'))
    statistics = {
        'videos': f'{len(videos)} ({len(videos) - len(labelled)} without labels)',
        'frames': f'{frames:,}',
        'seconds a video': f'{min(seconds):.1f} to {max(seconds):.1f}, mean {np.mean(seconds):.1f}',
        'classes': f'{len(load_classes(corpus.classes_path))}',
        'action frames': f'{share:.1%} of labelled videos (largest share of one {max(shares, default=0):.1%})',
        'frames in any flight': f'{np.concatenate([scene.airborne for scene in scenes]).mean():.1%}',
        'box height, px': ' / '.join(f'{q:.0f}' for q in np.percentile(heights, (5, 50, 95))) + ' (5, 50, 95 %)',
        'joints visible, hidden, outside': ' / '.join(f'{(visibility == v).mean():.1%}' for v in (2, 1, 0)),
        'bytes of video a frame': f'{num_bytes / frames:.0f}',
    }
    for split in sorted({a.split for a in actions}):
        counts = Counter(a.label for a in actions if a.split == split)
        span = f'{min(counts.values())} to {max(counts.values())} a class'
        statistics[f'actions in {split}'] = f'{counts.total()}, {span}'
    return statistics
