"""Verdicts on what the steps have written: enough frames, confident, better than a constant pose, above chance."""

import csv
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from mmengine.config import Config

from ..corpus import Corpus, CropStore, FeatureStore
from ..detect.summary import describe
from ..distill.distill_metric import joint_errors
from ..engine.model_files import find_trained
from ..engine.tool_list import tool_command
from ..errors import counted
from ..files import input_name, list_folder, open_text, read_json
from ..importers.label_table import DIVIDED, split_problem
from ..importers.labels import LabelSet
from ..prepare.inspector import inspect_corpus
from ..prepare.readiness import CONFIDENT
from ..recognize import confusion_matrix
from ..registry import DATASETS
from ..retrieve import ActionClips, ranking_context
from ..structures import Action, Share, guess_chance, load_actions, load_classes
from ..structures.action import SPLITS
from ..teacher import JointFeature
from ..visualize.plots import confusion_figure, read_log, training_figure
from ..visualize.report import Block, Code, Gallery, Image, Table, Text, Verdict, figure_uri, file_uri, shrunk_uri
from .steps import Result

Level = Literal['ok', 'warn', 'stop']
#: Confident frames from which a student learns something, and below which none is trained.
ENOUGH_FRAMES, FEWEST_FRAMES = 1000, 50
#: Joint error of a student that has learnt, as a share of that of a constant pose.
LEARNT = 0.8
#: Hint on a student that is worse than a constant pose.
NOTHING = 'worse than a constant pose: nothing was learnt'
#: Test clips below which no share is good.
FEW_CLIPS = 10
#: Images of a gallery, rows of a table.
_NUM_IMAGES, _NUM_ROWS = 3, 50


def _judged(level: Level | bool, text: str, hint: str = '', blocks: Sequence[Block] = ()) -> Result:
    """A result; a bool stands for 'ok' and 'warn'.  A hint is for what is not ok."""
    word: Level = level if isinstance(level, str) else 'ok' if level else 'warn'
    return Result(Verdict(word, text, '' if word == 'ok' else hint), blocks)


def judge_first(corpus_dir: Path, video: str) -> Result:
    """The first video: is there an athlete, and a pose in its frames."""
    corpus = Corpus.open(corpus_dir)
    if reason := corpus.failures().get(video):
        return _judged('warn', f'{video}: {reason}.', 'read the reason; the other videos are prepared next')
    row, [poses] = corpus.video(video), corpus.pose_names()[:1] or ['']
    tracked = len(corpus.track(video))
    posed = len(corpus.poses(poses, video)) if poses and corpus.pose_path(poses, video).is_file() else 0
    text = f'{video}: the athlete is in {tracked} of {row.num_frames} frames, a pose in {posed}.'
    return _judged(posed >= 0.5 * row.num_frames, text, 'look at the next image: is it the right person?')


def judge_sheet(corpus_dir: Path, video: str) -> Result:
    """The contact sheet of the first video, for the eye."""
    path = corpus_dir / 'inspect' / f'{video}.png'
    text = 'Only the eye can judge: the box has to follow the right person, the skeleton its body.'
    return Result(None, [Text(text), Image(shrunk_uri(path), f'{video}: box, skeleton, crop and optical flow.')])


def judge_corpus(corpus_dir: Path, files: Iterable[Path]) -> Result:
    """All video files that are not left out: how many could be prepared."""
    corpus = Corpus.open(corpus_dir)
    videos, left_out = corpus.videos(), corpus.left_out()
    failures = {name: reason for name, reason in corpus.failures().items() if name not in left_out}
    named = {name: input_name(Path(row.file)) for name, row in videos.items()}
    rest = {named[name] for name in videos if name not in left_out}
    given = {input_name(path) for path in files}
    wanted = given - {named.get(name, name) for name in left_out} | given & rest
    tracked = [name for name in videos if name not in {*failures, *left_out} and corpus.track_path(name).is_file()]
    tracked = [name for name in tracked if named[name] in wanted]
    frames, done = sum(videos[name].num_frames for name in tracked), {named[name] for name in tracked}
    verb = 'is' if len(wanted) == 1 else 'are'
    text = f'{len(done)} of {counted(len(wanted), "video")} {verb} prepared, {frames:,} frames.'
    if left_out:
        text += f' {len(left_out)} left out.'
    if gone := sorted(rest - given):
        text += f' Not in the folder any more, but still used: {", ".join(gone[:5])}{" ..." * (len(gone) > 5)}.'
    blocks: list[Block] = [Table(('video', 'not prepared, as'), list(failures.items()))] if failures else []
    if not tracked:
        reason = next(iter(failures.values()), 'no video')
        hint = 'pass other --boxes, or --track rules, with another --out'
        return _judged('stop', f'{text} The first reason: {reason}.', hint, blocks)
    hint = f'see why {len(failures)} are missing: {next(iter(failures.values()), "")}'
    if gone and not failures:
        names = [name for name in videos if name not in left_out and named[name] in gone]
        hint = f'to leave them out: {tool_command("prepare", "leave-out", str(corpus_dir), *names)}'
    return _judged(not failures and not gone and len(done) == len(wanted), text, hint, blocks)


def judge_check(corpus_dir: Path) -> Result:
    """The numbers of ``prepare inspect``, and the number of confident frames."""
    inspection = inspect_corpus(corpus_dir)
    confident = sum(video.confident or 0 for video in inspection.videos)
    tracked = sum(video.tracked for video in inspection.videos)
    rows = [
        (
            v.video,
            v.num_frames,
            v.tracked,
            *('-' if n is None else n for n in (v.posed, v.confident)),
            '; '.join(v.notes),
        )
        for v in inspection.videos
    ]
    blocks: list[Block] = [
        Table(('video', 'frames', 'tracked', 'poses', 'confident', 'notes'), rows),
        Code('\n'.join(inspection.lines)),
    ]
    text = f'{confident:,} of {tracked:,} tracked frames are confident (mean joint score {CONFIDENT:g} or more).'
    if confident < FEWEST_FRAMES:
        hint = f'add videos, or pass other --boxes or --poses: a student needs {FEWEST_FRAMES} at the very least'
        return _judged('stop', text, hint, blocks)
    last = inspection.lines[-1]
    if not last.startswith('ready'):
        what, colon, todo = last.removeprefix('first: ').partition(': ')
        again = '; then run the same command again' if 'leave-out' in last else ''
        return _judged('warn', f'{text} {what}.' if colon else text, (todo or what) + again, blocks)
    hint = f'add videos: this shows that the steps work, {ENOUGH_FRAMES:,} or more make a useful student'
    return _judged(confident >= ENOUGH_FRAMES, text, hint, blocks)


def count_targets(corpus: Corpus) -> int:
    """Number of frames of which the student learns: with normalised joints, of a confident pose."""
    teacher, least = FeatureStore(corpus.teacher_dir('joints')), corpus.settings().min_score
    return sum(int((teacher[video].scores >= least).sum()) for video in teacher.videos())


def judge_targets(corpus_dir: Path) -> Result:
    """The targets of the student."""
    corpus = Corpus.open(corpus_dir)
    count, videos = count_targets(corpus), len(FeatureStore(corpus.teacher_dir('joints')))
    text = f'{count:,} frames of {counted(videos, "video")} are targets.'
    return _judged(count > 0, text, 'pass other --poses')


def judge_student(cfg: Config, work_dir: Path, marked: Collection[str] = ()) -> Result:
    """Joint error of the best checkpoint on held-out frames, against a constant pose on the same frames.

    ``marked`` are the videos that the check has marked.
    """
    constant, num_frames, videos, is_seen = constant_pose(cfg)
    rows = [row for log in list_folder(work_dir, '*/vis_data/scalars.json') for row in read_log(log)]
    errors = {row['step']: row['distill/joint_error'] for row in rows if 'distill/joint_error' in row}
    step = int(Path(find_trained(work_dir).checkpoints[0]).stem.rpartition('_')[2])
    error = errors.get(step, min(errors.values()))
    of = f'{num_frames} held-out frames of {counted(len(videos), "video")}'
    text = f'Joint error {error:.3f} torso sizes on {of}; that of a constant pose, the mean one, is {constant:.3f}.'
    if is_seen:
        text += ' Other frames of these videos were trained on: this is too good.'
    if doubtful := sorted(videos.intersection(marked)):
        names = ', '.join(doubtful[:5]) + ' ...' * (len(doubtful) > 5)
        text += f' The check has marked {len(doubtful)} of these videos ({names}): do not trust this number.'
    curves = training_figure(work_dir, 'loss', 'distill/sq_error', 'squared error')
    blocks: list[Block] = [
        Table(('', ''), [('joint error, student', f'{error:.3f}'), ('joint error, constant pose', f'{constant:.3f}')]),
        Text('The mean distance of 13 joints to the pose of the teacher, in torso sizes.'),
        Image(figure_uri(curves), 'Training: both curves should fall, and end flat.'),
    ]
    state = NOTHING if error >= constant else 'the student has learnt little'
    hint = f'look at the marked videos: {", ".join(doubtful)}'
    if error > LEARNT * constant:
        hint = f'{state}: add videos, or pass more --epochs'
    return _judged(error <= LEARNT * constant and not doubtful, text, hint, blocks)


def constant_pose(cfg: Config) -> tuple[float, int, set[str], bool]:
    """Mean joint error, on held-out frames, of the mean pose of the training frames; frames and videos held out.

    The last value: whether other frames of these videos are trained on.
    """
    poses, videos = {}, {}
    for part in ('train', 'val'):
        samples = DATASETS.build({**cfg[f'{part}_dataloader'].dataset, 'pipeline': []})
        rows = [samples[i] for i in range(len(samples))]
        poses[part] = np.stack([row['targets'][0, : JointFeature.dims] for row in rows])
        videos[part] = {row['video'] for row in rows}
    errors = joint_errors(poses['val'], poses['train'].mean(axis=0, keepdims=True))
    return float(errors.mean()), len(errors), videos['val'], bool(videos['train'] & videos['val'])


def judge_features(corpus_dir: Path, run: str, has_learnt: bool = True) -> Result:
    """Frames that the student describes and the teacher does not, those without a vector, and previews for the eye."""
    corpus = Corpus.open(corpus_dir)
    student, teacher = FeatureStore(corpus.features_dir(run)), FeatureStore(corpus.teacher_dir('joints'))
    least, frames, confident, gaps = corpus.settings().min_score, 0, 0, dict[str, int]()
    for video in student.videos():
        inds, known = student[video].frame_inds, 0
        if video in teacher:
            of_teacher = teacher[video]
            known = int(np.isin(inds, of_teacher.frame_inds[of_teacher.scores >= least]).sum())
        frames, confident, gaps[video] = frames + len(inds), confident + known, len(inds) - known
    text = (
        f'{frames:,} frames have features: the teacher is confident in {confident:,}, the student adds '
        f'{frames - confident:,}.'
    )
    infos = corpus.videos()
    sizes = {video: infos[video].num_frames for video in student.videos() if video in infos}
    lacking = {video: size - len(student[video].frame_inds) for video, size in sizes.items()}
    if total := sum(lacking.values()):
        worst = [video for video in sorted(sizes, key=lambda v: -lacking[v] / sizes[v]) if lacking[video]]
        shares = ', '.join(f'{video} {lacking[video]} of {sizes[video]}' for video in worst[:3])
        text += f' {total:,} of {sum(sizes.values()):,} frames have none (no tracked athlete), most in {shares}.'
    folder = corpus.features_dir(run) / 'preview'
    most = sorted((video for video in gaps if (folder / f'{video}.png').is_file()), key=lambda video: -gaps[video])
    images = [Image(shrunk_uri(folder / f'{video}.png'), video) for video in most[:_NUM_IMAGES]]
    blocks: list[Block] = [Gallery(images, 1000, 'Crop, teacher (faint: not confident), student. Most gaps first.')]
    for video in [video for video in most if (folder / f'{video}.mp4').stat().st_size < 4e6][:1]:
        blocks.append(Image(file_uri(folder / f'{video}.mp4'), f'{video}, every frame.'))
    missing = len({*CropStore(corpus.crops_dir).videos()} - {*student.videos()})
    hint = f'{counted(missing, "video")} with crops but no features; run the same command again'
    if not missing:
        hint = f'the student is {NOTHING}'
    return _judged(has_learnt and not missing, text, hint, blocks)


def problem_of_splits(corpus: Corpus, divided: str) -> str:
    """Reason why the actions of a corpus allow no training and test; '' where they do."""
    actions = load_actions(corpus.actions_path)
    return split_problem(LabelSet(corpus.sport, corpus.videos(), [], actions, divided=divided))


def lacks_videos(actions: Sequence[Action]) -> str:
    """Sentence on the videos that a detection lacks, to train on or for the test; '' where it lacks none."""
    splits: dict[str, list[str]] = {}
    for action in actions:
        splits.setdefault(action.video, []).append(action.split)
    usual = [max(sorted(set(of)), key=of.count) for of in splits.values()]
    num_tested = usual.count('test')
    if num_tested and len(usual) - num_tested > 1:
        return ''
    return (
        'whole videos are searched, so that three or more with labels are needed, two of them to train on and one for '
        f'the test; there are {len(usual) - num_tested} and {num_tested}: label more videos'
    )


def judge_labels(corpus_dir: Path, divided: str = '', num_athletes: int = 0, features: str = '') -> Result:
    """Actions by class and split: every class needs some to train and to test on.

    ``divided``: as of ``LabelSet``; ``num_athletes`` have actions in several splits; frames without ``features``
    are counted.
    """
    corpus = Corpus.open(corpus_dir)
    classes = load_classes(corpus.classes_path)
    actions, infos = load_actions(corpus.actions_path, len(classes)), corpus.videos()
    counts = {split: Counter(a.label for a in actions if a.split == split) for split in SPLITS}
    rows = [(name, *(counts[split][i] for split in SPLITS)) for i, name in enumerate(classes)]
    blocks: list[Block] = [Table(('class', *SPLITS), rows)]
    text = f'{counted(len(actions), "action")} of {counted(len(classes), "class")}: ' + ', '.join(
        f'{counts[split].total()} {split}' for split in SPLITS
    )
    text += f'; the table has no column split, so that {DIVIDED[divided]}.' if divided else '.'
    if features:
        store, none = FeatureStore(corpus.features_dir(features)), np.zeros(0, np.int64)
        inds = {video: store[video].frame_inds if video in store else none for video in {a.video for a in actions}}
        ends = [np.searchsorted(inds[a.video], (a.start_frame, a.end_frame)) for a in actions]
        partly = sum(int(end - start) < a.num_frames for (start, end), a in zip(ends, actions, strict=True))
        text += f' {counted(partly, "clip")} with frames without features.' * bool(partly)
    if problem := problem_of_splits(corpus, divided):
        return _judged('warn', text, problem, blocks)
    lacking = [name for i, name in enumerate(classes) if not all(counts[split][i] for split in SPLITS)]
    if lacking:
        hint = f'label three or more videos of each class; not in all of train, val and test: {", ".join(lacking)}'
        return _judged('warn', text, hint, blocks)
    splits: dict[str, set[str]] = {}
    for action in actions:
        splits.setdefault(infos[action.video].file, set()).add(action.split)
    if shared := sum(len(names) > 1 for names in splits.values()):
        of = f'{shared} of {counted(len(splits), "video")}'
        hint = f'label more videos: actions of {of} are in several splits, which makes the numbers too good'
        return _judged('warn', text, hint, blocks)
    if num_athletes:
        hint = f'label more athletes: {num_athletes} with actions in several splits, which makes the numbers too good'
        return _judged('warn', text, hint, blocks)
    return _judged('ok', text, '', blocks)


def judge_recognition(work_dir: Path, lines: Sequence[str] = (), doubts: Sequence[str] = ()) -> Result:
    """Accuracy on the test clips against chance, from the predictions that ``fewshot`` has written.

    ``lines`` describe the clips; with ``doubts`` of earlier steps, or few clips, no accuracy is good.
    """
    with open_text(work_dir / 'predictions.csv', missing='run the step again') as f:
        rows = list(csv.DictReader(f))
    classes = [name.removeprefix('score_') for name in rows[0] if name.startswith('score_')]
    labels, predicted = ([classes.index(row[name]) for row in rows] for name in ('label', 'prediction'))
    share = Share(float(np.mean(np.equal(labels, predicted))), len(rows), max(guess_chance(labels, len(classes))))
    matrix = confusion_figure(confusion_matrix(predicted, labels, len(classes)), classes)
    table = [
        (row['clip'], row['label'], row['prediction'], f'{100 * float(row["score_" + row["prediction"]]):.0f} %')
        for row in rows[:_NUM_ROWS]
    ]
    blocks: list[Block] = [
        Table(('clip', 'class', 'predicted', 'score'), table),
        Image(figure_uri(matrix), 'Rows are true classes, columns predicted ones.'),
        *map(Text, lines),
    ]
    return _doubted(f'{counted(len(classes), "class")}, top-1: {share}.', share, [share.warning, *doubts], blocks)


def _doubted(text: str, share: Share, doubts: Sequence[str], blocks: Sequence[Block]) -> Result:
    """A verdict on a share with the reasons to doubt it."""
    few = f'{counted(share.n, share.unit)} are few: fewer than {FEW_CLIPS}' if share.n < FEW_CLIPS else ''
    reasons = [f'{doubt[0].upper()}{doubt[1:]}.' for doubt in dict.fromkeys([few, *doubts]) if doubt]
    hint = 'label more videos, also of other athletes, and test on those'
    if share.interval[1] <= share.chance:
        hint = 'look at the labels, and at the preview of the features'
    return _judged(not reasons, ' '.join([text, *reasons]), hint, blocks)


def judge_retrieval(path: Path, queries: ActionClips, gallery: ActionClips, doubts: Sequence[str] = ()) -> Result:
    """Precision of the nearest clip against chance, from the table that ``retrieve`` has written."""
    with open_text(path, missing='run the step again') as f:
        rows = [row for row in csv.DictReader(f) if row['rank'] == '1']
    hits = float(np.mean([row['query_class'] == row['class'] for row in rows]))
    context, metrics = ranking_context(queries, gallery), {'precision@1': hits, 'hit@1': hits}
    table = [(row['query'], row['query_class'], row['action_id'], row['class'], row['distance']) for row in rows]
    blocks: list[Block] = [Table(('query', 'class', 'nearest clip', 'its class', 'distance'), table[:_NUM_ROWS])]
    notes, share = context.notes(metrics, [1]), context.shares(metrics, 1)[0]
    return _doubted(f'The nearest clip has the class of the query: {share}.', share, [*notes, *doubts], blocks)


def judge_detection(out: Path) -> Result:
    """Average precision in the test videos, what it rests on, and reasons to doubt it."""
    result = read_json(out / 'ap.json', 'run the step again')
    lines = [line for line in describe(result) if not line.startswith('warning: ')]
    images = [Image(file_uri(path), path.stem) for path in list_folder(out, '*.png')[:_NUM_IMAGES]]
    caption = 'Score of each frame, detected and labelled intervals.'
    blocks: list[Block] = [*map(Text, lines), Gallery(images, 600, caption)]
    text = 'No test video has a labelled action.'
    if 'AP@0.5' in result:
        text = (
            f'AP@0.5 {100 * result["AP@0.5"]:.1f} %, mAP {100 * result["mAP"]:.1f} % (at random times '
            f'{100 * result["chance_mAP"]:.1f} %) of {counted(result["intervals"], "interval")} in '
            f'{counted(result["videos"], "test video")}.'
        )
    reasons = [f'{note[0].upper()}{note[1:]}.' for note in result['notes']]
    return _judged(not reasons, ' '.join([text, *reasons]), 'label more videos', blocks)


def is_whole_video(actions: Sequence[Action], corpus: Corpus) -> bool:
    """True where most actions last for nearly all of their video, so that there is nothing to find in it."""
    infos = corpus.videos()
    return sum(action.num_frames > 0.9 * infos[action.video].num_frames for action in actions) > len(actions) / 2
