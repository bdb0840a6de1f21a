"""The report of the demonstration on the synthetic sport, and the contact sheet that comes before it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.distill.distill_metric import joint_errors
from vpd_mm.experiments import share_of
from vpd_mm.features.preview import LEGEND, CropPoses, preview_panels
from vpd_mm.retrieve import ClipPainter, Shot, load_clips, rank_corpus
from vpd_mm.structures import (
    VPD_JOINTS,
    PoseSequence,
    Share,
    load_actions,
    load_classes,
)
from vpd_mm.teacher import JointFeature
from vpd_mm.visualize import report
from vpd_mm.visualize.panels import BOX, draw_boxes, draw_text, flow_to_rgb, resize
from vpd_mm.visualize.plots import accuracy_figure, confusion_figure, training_figure
from vpd_mm.visualize.report import Block, Code, Gallery, Image, Legend, MethodDiagram, Section, Table, Text, Verdict
from vpd_mm.visualize.skeleton import draw_skeleton

TITLE = 'Video Pose Distillation: the demonstration'
LEAD = (
    'Video Pose Distillation (Hong, Fisher, Gharbi, Fatahalian, ICCV 2021) on a synthetic sport. An off-the-shelf pose '
    'estimator, the teacher, fails on many frames. A student network learns from the other frames and describes every '
    'frame. All numbers were computed on this machine. The packed detector and teacher never saw this sport. '
    'The commands for a real video and for your own videos are in "Next steps".'
)
LONGER = (
    'For comparison, longer runs on a larger corpus: after 1,000,000 crops from the same start, the error on '
    'low-confidence frames is 31 % lower than that of the teacher, and the accuracy with 8 clips per class is 65.7 %, '
    'against 49.9 % with the joints of the teacher. From a random start, the error is 29 % lower after 1,450,000 crops.'
)
NEXT = """# the same at full size: hours on two cores, less on a GPU
python tools/demo.py --scale full
# a real video and a real pose estimator
make demo-real
# your own videos
python tools/prepare.py my_videos/ --out data/real
python tools/extract_features.py joints --corpus data/real
python tools/train.py configs/distill/resnet18_2d-vpd_40e_real.py"""
#: Goals: points above the joints of the teacher, share of the error removed, error ratio on confident frames.
GOAL_POINTS, GOAL_GAPS, GOAL_CONFIDENT = 5.0, 0.25, 1.5
MIN_SCORE = 0.5  # of a confident frame
LEARNT = 0.8  # largest error of a student that has learnt, relative to that of a constant pose
#: Contact sheet: tiles, and px of one.  Strip: frames, at least so many apart within a video.  Animations: number,
#: frames, and frames per second.  Px of a pose over its crop.
SHEET, STRIP, ANIMATIONS, SIDE = (12, 256), (6, 10), (4, 50, 12.5), 240


def sport_tiles(sport: Corpus) -> list[np.ndarray]:
    """Square images of the sport: the middle of the first action of each of several classes, with box and name."""
    classes, num, side = load_classes(sport.classes_path), *SHEET
    first = {action.label: action for action in reversed(load_actions(sport.actions_path))}
    tiles = []
    for label, action in sorted(first.items())[:num]:
        track, frame_ind = sport.track(action.video), (action.start_frame + action.end_frame) // 2
        row = np.abs(track.frame_inds - frame_ind).argmin()
        frame_ind = int(track.frame_inds[row])
        image = VideoReader(sport.video(action.video).path).read([frame_ind])[frame_ind]
        scale = side / len(image)
        tile = draw_boxes(resize(image, side), track.boxes[row] * scale)
        tiles.append(draw_text(tile, classes[label]))
    return tiles


def write_report(
    root: Path, corpus: Corpus, sport: Corpus, results: Mapping, facts: Mapping, images: Mapping, vpd: SimpleNamespace
) -> None:
    """Write ``root/report.html``.

    ``vpd`` holds ``checkpoint``, ``decode`` and the test metrics ``gaps`` of 2D-VPD; ``images`` pairs (method, matrix)
    as ``confusion`` and (method, path) as ``detection``.
    """
    frames = compare_frames(corpus, sport.root / 'ground_truth' / 'poses', vpd.decode)
    seconds = {**results['seconds'], 'all': sum(results['seconds'].values())}
    times = Table(('step', 'seconds'), [(name, f'{value:.0f}') for name, value in seconds.items()])
    versions = ', '.join(f'{name} {version}' for name, version in results['versions'].items())
    made_with = Text(f'Scale {results["scale"]}, seed {results["seed"]}; {versions}.')
    learns = results['scale'] != 'tiny'
    tiles = [Image(report.image_uri(tile)) for tile in sport_tiles(sport)]
    sheet = Gallery(tiles, SHEET[1], 'The sport: the middle of an action of each class.')
    legend = Legend({'box of the athlete': BOX, **LEGEND})
    verdicts = summary(results, constant_error(frames))
    sections = [
        Section('Low-confidence frames', list(gap_filling(frames, vpd, learns)), verdicts['gaps']),
        Section(
            'Few-shot recognition',
            list(recognition(corpus, results['recognition'], images['confusion'])),
            verdicts['recognition'],
        ),
        Section('Retrieval', list(retrieval(corpus, results['retrieval'])), verdicts['retrieval']),
        Section('Detection', list(detection(results['detection'], images['detection'])), verdicts['detection']),
        Section('Method', [diagram(frames, corpus), sheet, legend, Table(('', ''), list(facts.items()))]),
        Section('Next steps', [Code(NEXT), Text(LONGER)]),
        Section('Time and versions', [times, made_with]),
    ]
    report.write_report(root / 'report.html', TITLE, LEAD, sections)


def constant_error(frames: SimpleNamespace) -> float:
    """Mean joint error of one pose for all low-confidence frames, their true mean; a student beats it."""
    truth = frames.truth[frames.scores < MIN_SCORE]
    return float(joint_errors(np.broadcast_to(truth.mean(axis=0), truth.shape), truth).mean()) if len(truth) else 0.0


def summary(results: Mapping, constant: float) -> dict[str, Verdict]:
    """The result of each part with the numbers of this run: 'gaps', 'recognition', 'retrieval', 'detection'.

    ``constant`` is :func:`constant_error`.
    """
    recognised, ranked, detected = (
        {row['method']: row for row in results[part]} for part in ('recognition', 'retrieval', 'detection')
    )  # of several k, the last row counts: the largest
    teacher, student = next(iter(recognised)), '2D-VPD'
    hint = 'run it with --scale small; tiny trains for seconds, which only shows that every step runs.'
    hint *= results['scale'] == 'tiny'
    gaps, better, text = results['gap_filling'], False, 'none in the test videos.'
    if gaps['frames']:
        before, after = gaps['teacher_error'], gaps['student_error']
        better = after < min(before, LEARNT * constant)
        text = (
            f'{gaps["frames"]} in the test videos; their mean joint error is {after:.2f} torso sizes for the student, '
            f'{before:.2f} for the teacher, and {constant:.2f} for their mean pose.'
        )
    verdicts = {'gaps': _judge(better, text, hint)}

    k, share = recognised[student]['k'], share_of(recognised[student])
    clips = f'with {k} training clips{"" if k == "all" else " per class"}, the class is right for {share}'
    text = f'{clips}; with the joints of the teacher for {recognised[teacher]["top1_mean"]:.1f} %.'
    verdicts['recognition'] = _judge(not share.warning, text, hint)
    first = [ranked[name]['precision@1'] for name in (student, teacher)]
    share = Share(first[0], ranked[student]['queries'], ranked[student]['chance'], 'query')
    text = f'the most similar training clip has the right class for {share}; with the joints of the teacher for'
    verdicts['retrieval'] = _judge(not share.warning, f'{text} {100 * first[1]:.1f} %.', hint)
    ap = [100 * detected[name]['AP@0.5'] for name in (student, teacher)]
    text = f'the average precision in uncut videos, AP@0.5, is {ap[0]:.1f} %; with the joints of the teacher'
    verdicts['detection'] = _judge(ap[0] > ap[1], f'{text} {ap[1]:.1f} %.', hint)
    return verdicts


def _judge(good: bool, text: str, hint: str) -> Verdict:
    return Verdict('ok', text) if good else Verdict('warn', text, hint)


def compare_frames(corpus: Corpus, ground_truth_dir: Path, decode: Callable) -> SimpleNamespace:
    """Joints (N, 26) and errors (N,) of teacher and student on the test frames with a pose and a ground truth.

    Also ``keypoints`` (N, 13, 2) px of the ground truth, ``panels``: (video, frames) to the panels of
    :func:`preview_panels`, and ``poses``: video to its :class:`CropPoses`.
    """
    teachers, students = FeatureStore(corpus.teacher_dir('joints')), FeatureStore(corpus.features_dir('vpd'))
    names, columns = ('videos', 'frame_inds', 'scores', 'teacher', 'student', 'truth', 'keypoints'), []
    for video in sorted({action.video for action in load_actions(corpus.actions_path) if action.split == 'test'}):
        true_poses = PoseSequence.load(ground_truth_dir / f'{video}.npz')
        truth = JointFeature()(true_poses)
        sequences = teachers[video], students[video], truth
        inds = reduce(np.intersect1d, [sequence.frame_inds for sequence in sequences])
        rows = [np.searchsorted(sequence.frame_inds, inds) for sequence in sequences]
        teacher, student, truth = (sequence.feats[row] for sequence, row in zip(sequences, rows))
        scores, videos = sequences[0].scores[rows[0]], np.full(len(inds), video)
        keypoints = true_poses.keypoints[rows[2]][:, VPD_JOINTS]
        columns.append((videos, inds, scores, teacher[:, 0], decode(student), truth[:, 0], keypoints))
    frames = SimpleNamespace(**dict(zip(names, map(np.concatenate, zip(*columns)))))
    frames.teacher_errors = joint_errors(frames.teacher, frames.truth).mean(axis=1)
    frames.student_errors = joint_errors(frames.student, frames.truth).mean(axis=1)
    frames.poses = {video: CropPoses(corpus, video) for video in np.unique(frames.videos).tolist()}
    frames.panels = lambda video, inds: preview_panels(
        corpus, video, decode(students[video].feats), only=set(inds), side=SIDE
    )
    return frames


def diagram(frames: SimpleNamespace, corpus: Corpus) -> MethodDiagram:
    """The method, with the most confident frame and the low-confidence frame that the student improves most."""
    low = frames.scores < max(MIN_SCORE, frames.scores.min() + 1e-6)
    good = int(frames.scores.argmax())
    bad = int(np.where(low, frames.teacher_errors - frames.student_errors, -np.inf).argmax())
    video, frame_ind, track = frames.videos[good], int(frames.frame_inds[good]), corpus.track(frames.videos[good])
    image = VideoReader(corpus.video(video).path, corpus.fps).read([frame_ind])[frame_ind]
    panels = [draw_boxes(image, track.boxes[np.searchsorted(track.frame_inds, frame_ind)])]
    for i in (good, bad):
        video, frame_ind = frames.videos[i], int(frames.frame_inds[i])
        poses = frames.poses[video]
        crop, pose = (resize(poses.store.crop(video, frame_ind), SIDE) for _ in range(2))
        poses.teacher(frame_ind, pose)
        panels += [crop, flow_to_rgb(poses.store.flow(video, frame_ind)), pose]
    keypoints = poses.in_crop(frame_ind, poses.place(frame_ind, frames.student[bad]), SIDE)
    uris = [report.image_uri(panel) for panel in (*panels, draw_skeleton(crop.copy(), keypoints))]
    return MethodDiagram(*uris[:4], frames.scores[good], *uris[4:7], frames.scores[bad], uris[7])


def goal(text: str, reached: bool, value: str) -> Verdict:
    return Verdict('ok' if reached else 'warn', f'Goal: {text}. {"Reached" if reached else "Not reached"}: {value}.')


def recognition(corpus: Corpus, rows: Sequence[Mapping], matrices: Sequence[tuple[str, np.ndarray]]) -> Iterator[Block]:
    ks = list(dict.fromkeys(row['k'] for row in rows))
    cells: dict[str, dict] = {row['method']: {} for row in rows}
    for row in rows:
        cells[row['method']][row['k']] = row['top1_mean'], row['top1_std']
    k, teacher = ks[-1], next(iter(cells))
    if k != 'all':
        points = cells['2D-VPD'][k][0] - cells[teacher][k][0]
        text = f'2D-VPD is at least {GOAL_POINTS:g} points above {teacher} at k = {k}'
        yield goal(text, points >= GOAL_POINTS, f'{points:+.1f} points')
    figure = accuracy_figure('', ks, cells, {name: kind(name) for name in cells})
    yield Image(
        report.figure_uri(figure), 'Accuracy on the test clips; lines at the ends: standard deviation of the runs.'
    )
    body = [
        (row['method'], row['k'], f'{row["top1_mean"]:.1f}', f'{row["top1_std"]:.1f}' if row['runs'] > 1 else '-')
        for row in rows
    ]
    body = [(*cells, row['runs']) for cells, row in zip(body, rows)]
    yield Table(('method', 'k', 'top-1 %', '± sd', 'runs'), body)
    num_test = sum(action.split == 'test' for action in load_actions(corpus.actions_path))
    yield Text(
        f'k training clips per class; mean and sample deviation over the runs; 18 classes; {num_test} test clips of '
        'athletes that no training video shows. All methods use the same clips and lists.'
    )
    classes = load_classes(corpus.classes_path)
    figures = [Image(report.figure_uri(confusion_figure(matrix, classes)), name) for name, matrix in matrices]
    text = 'Rows are true classes, columns predicted ones; a click on a matrix shows it in full size.'
    yield Gallery(figures, 430, text, f'Confusion matrices (k = {k}, sum of all runs)')


def kind(method: str) -> str:
    """Group of a method in the plot, by its name."""
    return 'teacher' if '(teacher)' in method else 'student' if 'VPD' in method else 'baseline'


def gap_filling(frames: SimpleNamespace, vpd: SimpleNamespace, learns: bool) -> Iterator[Block]:
    low = np.flatnonzero(frames.scores < MIN_SCORE)
    gains = frames.teacher_errors[low] - frames.student_errors[low]
    if len(low):
        text = 'Low-confidence frames that the student improves most. The numbers are joint errors in torso sizes.'
        yield Gallery(pose_columns(frames, low[np.argsort(-gains)]), SIDE, text)
        yield Legend(LEGEND)
        text = 'Gaps being filled, at half speed: crop, teacher, student.'
        yield Gallery(list(animations(frames, low, gains)), 2 * SIDE, text)
    body, gaps = [], vpd.gaps
    for key, name in (('confident', 'confident'), ('low_confidence', 'low'), ('lost', 'no pose')):
        if gaps.get(f'frames_{key}'):
            errors = [gaps.get(f'{model}_error_{key}') for model in ('teacher', 'student')]
            body.append((name, f'{gaps[f"frames_{key}"]:.0f}', *('-' if e is None else f'{e:.3f}' for e in errors)))
    yield Table(('confidence of the teacher', 'frames', 'teacher error', 'student error'), body)
    yield Text(
        'Mean distance of the 13 joints to the ground truth, in torso sizes, on tracked frames of the test videos.'
    )
    if learns and 'gap_gain' in gaps:
        text = f'the error on low-confidence frames is at least {GOAL_GAPS:.0%} lower than that of the teacher'
        yield goal(text, gaps['gap_gain'] >= GOAL_GAPS, f'{gaps["gap_gain"]:.0%}')
        ratio = gaps['student_error_confident'] / gaps['teacher_error_confident']
        text = f'the error on confident frames is at most {GOAL_CONFIDENT:g} times that of the teacher'
        yield goal(text, ratio <= GOAL_CONFIDENT, f'{ratio:.2f} times')
    if len(low):
        yield Text(
            f'The student is closer to the ground truth than the teacher on {(gains > 0).mean():.0%} of {len(low)}.'
        )
        worst = pose_columns(frames, low[np.argsort(-frames.student_errors[low])])
        yield Gallery(worst, SIDE, folded='Low-confidence frames with the largest errors of the student')
    figure = training_figure(vpd.checkpoint.parent, 'loss', 'distill/sq_error', 'squared error')
    yield Image(report.figure_uri(figure), 'Training of the 2D-VPD student.')


def pose_columns(frames: SimpleNamespace, order: Sequence[int]) -> list[Image]:
    """Crop, poses of teacher and student, ground truth of the first frames of ``order``, those of each video first."""
    (num, apart), chosen = STRIP, []
    firsts = np.sort(np.unique(frames.videos[order], return_index=True)[1])
    for i in [*order[firsts], *order]:
        near = [j for j in chosen if frames.videos[i] == frames.videos[j]]
        if len(chosen) < num and all(abs(frames.frame_inds[i] - frames.frame_inds[j]) >= apart for j in near):
            chosen.append(i)
    columns = []
    for row in chosen:
        video, frame_ind = frames.videos[row], int(frames.frame_inds[row])
        (panels,) = frames.panels(video, [frame_ind])
        for panel, errors in zip(panels[1:], (frames.teacher_errors, frames.student_errors)):
            draw_text(panel, f'error {errors[row]:.2f}', (2, SIDE - 20))
        poses = frames.poses[video]
        truth = resize(poses.store.crop(video, frame_ind), SIDE)
        draw_skeleton(truth, poses.in_crop(frame_ind, frames.keypoints[row], SIDE))
        panels.append(draw_text(truth, 'ground truth'))
        columns.append(Image(report.image_uri(np.concatenate(panels))))
    return columns


def animations(frames: SimpleNamespace, low: np.ndarray, gains: np.ndarray) -> Iterator[Image]:
    """The part of each video in which the student improves low-confidence frames most, of the best videos."""
    num, length, fps = ANIMATIONS
    parts = []
    for video in np.unique(frames.videos[low]):
        mine = frames.videos[low] == video
        gain = np.bincount(frames.frame_inds[low][mine], gains[mine])
        sums = np.convolve(gain, np.ones(length))[length - 1 :]  # of the frames from each one on
        best = np.flatnonzero(sums >= sums.max() - 1e-9)
        parts.append((sums.max(), video, int(best[len(best) // 2])))
    for _, video, start in sorted(parts, reverse=True)[:num]:
        images = [np.concatenate(panels, axis=1) for panels in frames.panels(video, range(start, start + length))]
        yield Image(report.animation_uri(images, fps), f'{video}, frames {start} to {start + length - 1}')


def retrieval(corpus: Corpus, rows: Sequence[Mapping]) -> Iterator[Block]:
    ks = [name for name in rows[0] if name.startswith('precision@')]
    clips, classes = load_clips(corpus, 'features/vpd'), load_classes(corpus.classes_path)
    queries, gallery = clips.of_split('test'), clips.of_split('train')
    nearest, _ = rank_corpus(queries, gallery, (min(3, len(gallery)),))
    correct = gallery.labels[nearest.inds[:, 0]] == queries.labels
    painter = ClipPainter(corpus)
    for name, group in (('correct', correct), ('wrong', ~correct)):
        for q in np.flatnonzero(group)[:1]:
            actions = [queries.actions[q], *(gallery.actions[i] for i in nearest.inds[q])]
            texts = ['query', *(f'distance {distance:.3f}' for distance in nearest.distances[q])]
            tiles = [painter.tiles(Shot(a.video, a.start_frame, a.end_frame, '')) for a in actions]
            last = max(map(len, tiles)) - 1
            tiles = [[*clip, *[clip[-1]] * (last - len(clip) + 1)] for clip in tiles]  # so that they start together
            captions = [f'{text}: {classes[action.label]}' for text, action in zip(texts, actions)]
            images = [Image(report.animation_uri(clip, 12.5), text) for clip, text in zip(tiles, captions)]
            yield Gallery(images, 240, f'2D-VPD: a query and its nearest clips; the first is {name}. Half speed.')
    body = [(row['method'], *(f'{100 * row[k]:.1f}' for k in ks)) for row in rows]
    yield Table(('method', *(f'{k} %' for k in ks)), body)
    yield Text(
        f'{rows[0]["queries"]} test clips as queries, {rows[0]["gallery"]} training clips as gallery, ranked by '
        'dynamic time warping. Clips of the class of the query are correct.'
    )


def detection(rows: Sequence[Mapping], images: Sequence[tuple[str, Path]]) -> Iterator[Block]:
    columns = ('AP@0.3', 'AP@0.5', 'AP@0.7', 'mAP')
    body = [(row['method'], *(f'{100 * row[name]:.1f}' for name in columns)) for row in rows]
    yield Table(('method', *(f'{name} %' for name in columns)), body)
    yield Text(
        f'Uncut test videos: {rows[0]["videos"]}. Average precision (AP) of the intervals at several overlaps; mAP is '
        'the mean over 0.1 to 0.9.'
    )
    timelines = [Image(report.file_uri(path), name) for name, path in images]
    yield Gallery(timelines, 600, 'One test video: score of each frame, detected and labelled intervals.')
