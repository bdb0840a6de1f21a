"""The report of the demonstration on the synthetic sport."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.distill.distill_metric import joint_errors
from vpd_mm.retrieve import load_clips, rank_corpus
from vpd_mm.structures import PoseSequence, load_actions, load_classes
from vpd_mm.teacher import JointFeature
from vpd_mm.visualize.boxes import draw_boxes
from vpd_mm.visualize.panels import add_caption, add_row_labels, draw_text, evenly_spread, flow_to_rgb, grid, resize
from vpd_mm.visualize.plots import Method, accuracy_figure, curves_figure
from vpd_mm.visualize.report import (
    Block,
    Code,
    Image,
    MethodDiagram,
    Section,
    Table,
    Text,
    figure_uri,
    file_uri,
    image_uri,
    write_report as write_page,
)
from vpd_mm.visualize.skeleton import draw_pose_panel

LEAD = (
    'Video Pose Distillation (Hong, Fisher, Gharbi, Fatahalian, ICCV 2021) on a synthetic sport. An off-the-shelf pose '
    'estimator, the teacher, fails on many frames. A student network learns from the other frames and describes every '
    'frame. All numbers were computed on this machine. The packed detector and teacher never saw this sport.'
)
LONGER = (
    'For comparison, longer runs on a larger synthetic corpus (README, “Distil” and “Compare”): after 1,000,000 crops '
    'from the same start, the error is 31 % lower than that of the teacher on low-confidence frames, and with 8 clips '
    'per class the accuracy is 65.7 %, with the joints of the teacher 49.9 %.'
)
#: Goals: points above the joints of the teacher, share of the error removed, error ratio on confident frames.
GOAL_POINTS, GOAL_GAPS, GOAL_CONFIDENT = 5.0, 0.25, 1.5
#: Frames with a lower score are low-confidence frames.
MIN_SCORE = 0.5
SIDE = 112  # px of a panel
TEACHER = '2D joints (teacher)'
NEXT = """# the same at full size: hours on two cores, less on a GPU
python tools/demo.py --scale full
# a real athlete and a real pose estimator
make demo-real
# your own videos
python tools/prepare.py my_videos/ --out data/real --boxes my_boxes/ --poses my_poses/
python tools/extract_features.py joints --corpus data/real --poses files
python tools/train.py configs/distill/resnet18_2d-vpd_40e_real.py"""


def compare_frames(corpus: Corpus, ground_truth_dir: Path, decode) -> SimpleNamespace:
    """Compare teacher and 2D-VPD with the ground truth on the N frames of the test videos that have a true pose.

    Returns:
        ``videos``, ``frame_inds``, ``scores`` of the teacher (N,); ``teacher``, ``student``, ``truth`` (N, 26) normalised
        joints; ``teacher_errors``, ``student_errors`` (N,) in torso sizes.
    """
    teachers, students = FeatureStore(corpus.teacher_dir('joints')), FeatureStore(corpus.features_dir('vpd'))
    rows = []
    for video in sorted({action.video for action in load_actions(corpus.actions_path) if action.split == 'test'}):
        true = JointFeature()(PoseSequence.load(ground_truth_dir / f'{video}.npz'))
        sequences = teachers[video], students[video], true
        inds = reduce(np.intersect1d, [sequence.frame_inds for sequence in sequences])
        at = [np.searchsorted(sequence.frame_inds, inds) for sequence in sequences]
        teacher, student, truth = (sequence.feats[rows] for sequence, rows in zip(sequences, at))
        scores = teachers[video].scores[at[0]]
        rows.append((np.full(len(inds), video), inds, scores, teacher[:, 0], decode(student), truth[:, 0]))
    names = 'videos', 'frame_inds', 'scores', 'teacher', 'student', 'truth'
    frames = SimpleNamespace(**dict(zip(names, map(np.concatenate, zip(*rows)))))
    frames.teacher_errors = joint_errors(frames.teacher, frames.truth).mean(axis=1)
    frames.student_errors = joint_errors(frames.student, frames.truth).mean(axis=1)
    return frames


def write_report(
    root: Path,
    corpus: Corpus,
    sport: Corpus,
    results: Mapping,
    facts: Mapping,
    gaps: Mapping,
    curves: Mapping,
    decode,
    images: Mapping,
) -> None:
    """Write ``root/report.html``.

    Args:
        root: Folder of the run.
        corpus, sport: The prepared corpus; the synthetic sport with its videos and its ground truth.
        results: Content of results.json.
        facts: Rows of the overview.
        gaps, curves: Test metrics and training curves of 2D-VPD.
        decode: Decodes the features of 2D-VPD.
        images: (method, path) of confusion matrices ('table') and timelines ('detection').
    """
    frames, store = compare_frames(corpus, sport.root / 'ground_truth' / 'poses', decode), CropStore(corpus.crops_dir)
    learns, seconds = results['scale'] != 'tiny', results['seconds']
    times = [*((name, f'{value:.0f}') for name, value in seconds.items()), ('all', f'{sum(seconds.values()):.0f}')]
    versions = ', '.join(f'{name} {version}' for name, version in results['versions'].items())
    sections = [
        Section('Overview', [diagram(frames, store, corpus), Table(('', ''), list(facts.items())), Text(LONGER)]),
        Section('Few-shot recognition', [*recognition(corpus, results['recognition'], learns, images['table'])]),
        Section('Low-confidence frames', [*gap_filling(frames, store, gaps, curves, learns)]),
        Section('Retrieval', [*retrieval(corpus, store, results['retrieval'])]),
        Section('Detection', [*detection(results['detection'], images['detection'])]),
        Section('Next steps', [Code(NEXT)]),
        Section('Time and versions', [Table(('step', 'seconds'), times)]),
    ]
    sections[-1].blocks.append(Text(f'Scale {results["scale"]}, seed {results["seed"]}; {versions}.'))
    write_page(root / 'report.html', 'Video Pose Distillation: the demonstration', LEAD, sections)


def goal(text: str, reached: bool, value: str) -> Text:
    return Text(f'Goal: {text}. {"Reached" if reached else "Not reached"}: {value}.', reached)


def diagram(frames: SimpleNamespace, store: CropStore, corpus: Corpus) -> MethodDiagram:
    """The method, with the most confident frame and the low-confidence frame that the student improves most."""
    low = frames.scores < MIN_SCORE
    if not low.any() or low.all():
        low = frames.scores < np.median(frames.scores)
    gains = np.where(low, frames.teacher_errors - frames.student_errors, -np.inf)
    bad, good = int(gains.argmax()), int(frames.scores.argmax())
    panels = {}
    for i in (good, bad):
        where = frames.videos[i], int(frames.frame_inds[i])
        panels[i] = [
            store.crop(*where),
            flow_to_rgb(store.flow(*where)),
            draw_pose_panel(frames.teacher[i], faint=i == bad),
        ]
    video, frame_ind = frames.videos[good], frames.frame_inds[good]
    track = corpus.track(video)
    image = next(rgb.copy() for i, rgb in VideoReader(corpus.video(video).path, corpus.fps) if i == frame_ind)
    draw_boxes(image, track.boxes[np.searchsorted(track.frame_inds, frame_ind)])
    images = [image_uri(panel) for panel in (image, *panels[good], *panels[bad], draw_pose_panel(frames.student[bad]))]
    return MethodDiagram(*images[:4], frames.scores[good], *images[4:7], frames.scores[bad], images[7])


def recognition(corpus: Corpus, rows: Sequence[Mapping], learns: bool, images: Sequence) -> Iterator[Block]:
    test = sum(action.split == 'test' for action in load_actions(corpus.actions_path))
    body = [(row['method'], row['k'], f'{row["top1_mean"]:.1f}', f'{row["top1_std"]:.1f}', row['runs']) for row in rows]
    yield Table(('method', 'k', 'top-1 %', '±', 'runs'), body)
    yield Text(
        f'k training clips per class; mean and sample deviation over the runs; 18 classes; {test} test clips of athletes '
        'that no training video shows. All methods use the same clips and lists.'
    )
    ks = sorted({row['k'] for row in rows if row['k'] != 'all'})
    if not learns:
        yield Text('Scale tiny: every step runs, nothing is learnt.')
    elif (gain := points_above_joints(rows)) is not None:
        k, points = gain
        text = f'2D-VPD is at least {GOAL_POINTS:g} points above the joints of the teacher at k = {k}'
        yield goal(text, points >= GOAL_POINTS, f'{points:+.1f} points')
    accuracy: dict[str, dict] = {row['method']: {} for row in rows}
    for row in rows:
        accuracy[row['method']][row['k']] = row['top1_mean'], row['top1_std']
    if ks:
        figure = accuracy_figure('', ks, [Method(name, cells) for name, cells in accuracy.items()])
        yield Image(figure_uri(figure), 'Accuracy over the number of training clips per class.')
    for name, path in images:
        yield Image(file_uri(path), f'{name}: rows are true classes, columns predicted ones (first subset).', wide=True)


def points_above_joints(rows: Sequence[Mapping]) -> tuple[int, float] | None:
    """(k, points) by which 2D-VPD is above the joints of the teacher at the largest common k; None without one."""
    top1 = {(row['method'], row['k']): row['top1_mean'] for row in rows if row['k'] != 'all'}
    ks = [k for method, k in top1 if method == '2D-VPD' and (TEACHER, k) in top1]
    return (max(ks), top1['2D-VPD', max(ks)] - top1[TEACHER, max(ks)]) if ks else None


def gap_filling(
    frames: SimpleNamespace, store: CropStore, gaps: Mapping, curves: Mapping, learns: bool
) -> Iterator[Block]:
    body = []
    for key, name in (('confident', 'confident'), ('low_confidence', 'low'), ('lost', 'no pose')):
        if gaps.get(f'frames_{key}'):
            errors = [gaps.get(f'{model}_error_{key}') for model in ('teacher', 'student')]
            body.append((name, f'{gaps[f"frames_{key}"]:.0f}', *('-' if e is None else f'{e:.3f}' for e in errors)))
    yield Table(('confidence of the teacher', 'frames', 'teacher error', 'student error'), body)
    yield Text(
        'Mean distance of the 13 joints to the ground truth in torso sizes, on tracked frames of the test videos.'
    )
    if learns and 'gap_gain' in gaps:
        text = f'the error is at least {GOAL_GAPS:.0%} lower than that of the teacher on its low-confidence frames'
        yield goal(text, gaps['gap_gain'] >= GOAL_GAPS, f'{gaps["gap_gain"]:.0%}')
        ratio = gaps['student_error_confident'] / gaps['teacher_error_confident']
        text = f'the error is at most {GOAL_CONFIDENT:g} times that of the teacher on its confident frames'
        yield goal(text, ratio <= GOAL_CONFIDENT, f'{ratio:.2f} times')
    low = np.flatnonzero(frames.scores < MIN_SCORE)
    if len(low):
        gains = frames.teacher_errors[low] - frames.student_errors[low]
        yield Text(
            f'The student is closer to the ground truth than the teacher on {(gains > 0).mean():.0%} of {len(low)}.'
        )
        for order, text in (
            (np.argsort(-gains), 'in which the student improves most'),
            (np.argsort(-frames.student_errors[low]), 'in which the student is worst'),
        ):
            chosen = low[order][np.sort(np.unique(frames.videos[low[order]], return_index=True)[1])][
                :7
            ]  # one per video
            caption = f'Low-confidence frames {text}; the numbers are errors in torso sizes.'
            yield Image(image_uri(comparison_image(frames, store, chosen)), caption, wide=True)
    yield Image(figure_uri(curves_figure(curves, 'squared error')), 'Training of the 2D-VPD student.')


def comparison_image(frames: SimpleNamespace, store: CropStore, chosen: Sequence[int]) -> np.ndarray:
    """One column per frame: crop, poses of teacher and student, ground truth."""
    columns = []
    for i in chosen:
        crop = resize(store.crop(frames.videos[i], int(frames.frame_inds[i])), SIDE, SIDE)
        poses = [
            draw_pose_panel(frames.teacher[i], SIDE, faint=True),
            draw_pose_panel(frames.student[i], SIDE),
            draw_pose_panel(frames.truth[i], SIDE),
        ]
        for pose, error in zip(poses, (frames.teacher_errors[i], frames.student_errors[i])):
            draw_text(pose, f'{error:.2f}', (3, SIDE - 16), 11)
        columns.append(np.concatenate([crop, *poses]))
    return add_row_labels(np.concatenate(columns, axis=1), ('crop', 'teacher', 'student', 'truth'))


def retrieval(corpus: Corpus, store: CropStore, rows: Sequence[Mapping]) -> Iterator[Block]:
    ks = [name for name in rows[0] if name.startswith('precision@')]
    yield Table(
        ('method', *(f'{k} %' for k in ks)), [(row['method'], *(f'{100 * row[k]:.1f}' for k in ks)) for row in rows]
    )
    yield Text(
        f'{rows[0]["queries"]} test clips as queries, {rows[0]["gallery"]} training clips as gallery, ranked by dynamic time '
        'warping; a clip of the same class is a correct result.'
    )
    clips, classes = load_clips(corpus, 'features/vpd'), load_classes(corpus.classes_path)
    queries, gallery = clips.of_split('test'), clips.of_split('train')
    neighbours, _ = rank_corpus(queries, gallery, (min(3, len(gallery)),))
    correct = gallery.labels[neighbours.inds[:, 0]] == queries.labels
    for q in [int(np.flatnonzero(group)[0]) for group in (correct, ~correct) if group.any()]:
        actions = [queries.actions[q], *(gallery.actions[i] for i in neighbours.inds[q])]
        names = ['query', *(f'rank {rank}, distance {d:.3f}' for rank, d in enumerate(neighbours.distances[q], 1))]
        strips = []
        for action, name in zip(actions, names):
            inds = np.asarray(store.header(action.video).frame_inds)
            inds = inds[(inds >= action.start_frame) & (inds < action.end_frame)]
            crops = [resize(store.crop(action.video, int(inds[i])), SIDE, SIDE) for i in evenly_spread(len(inds), 6)]
            strips.append(add_caption(np.concatenate(crops, axis=1), f'{name}: {classes[action.label]}'))
        yield Image(image_uri(grid(strips, 1), 75), f'2D-VPD: a query and its {len(strips) - 1} nearest clips.')


def detection(rows: Sequence[Mapping], images: Sequence) -> Iterator[Block]:
    columns = ('AP@0.3', 'AP@0.5', 'AP@0.7', 'mAP')
    body = [(row['method'], *(f'{100 * row[name]:.1f}' for name in columns)) for row in rows]
    yield Table(('method', *(f'{name} %' for name in columns)), body)
    yield Text(
        f'{rows[0]["videos"]} uncut test videos; average precision of the intervals at several overlaps; mAP is the mean '
        'over the overlaps 0.1 to 0.9.'
    )
    for name, path in images:
        caption = f'{name}: score per frame, detected and labelled intervals.'
        yield Image(file_uri(path), caption, wide=True)
