"""report.html of the demonstration: what was done and what came of it, reached or not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from vpd_mm.visualize.report_page import Code, Drawing, Picture, Section, Table, Text, file_uri, jpeg_uri, write_page

from demo_old.demo_bench import JOINTS, STUDENTS, Bench
from demo_old.demo_pictures import (
    Study,
    accuracy_plot,
    loss_plot,
    neighbour_strips,
    strip,
    study_frames,
    vpd_picture,
)
from vpd_mm.corpus import CropStore
from vpd_mm.structures import load_actions

LEAD = (
    'Video Pose Distillation (Hong, Fisher, Gharbi, Fatahalian, ICCV 2021) on a synthetic sport: an off-the-shelf pose '
    'estimator fails on much of it; a student network learns from the rest and describes every frame. Everything below '
    'was computed on this machine by the packed detector and pose estimator, which never saw this sport.'
)
#: What the project set itself: points above the teacher's joints, share of the error that goes, factor on sure frames.
GOAL_POINTS, GOAL_GAPS, GOAL_SURE = 5.0, 0.25, 1.5
#: Beside this short run: longer ones, measured as the README says.
LONGER = (
    'For comparison, longer runs on a larger synthetic corpus (README, “Distil” and “Compare”): from the same start, '
    '1,000,000 crops, 31 % less error than the teacher’s where it is not sure, and with 8 clips a class 65.7 % '
    'against 49.9 % of the teacher’s joints. A random start came to 29 % after 1,450,000 crops.'
)
NEXT = """# the same for longer: hours on two cores, less on a GPU
python tools/demo.py --scale full
# a real man, a real pose estimator
make demo-real
# your own films
python tools/prepare.py my_videos/ --out data/real --boxes my_boxes/ --poses my_poses/
python tools/extract_features.py joints --corpus data/real --poses files
python tools/train.py configs/distill/resnet18_2d-vpd_40e_real.py"""


def write_report(path: Path, bench: Bench, scale: str, results: Mapping, stages: Mapping[str, Mapping]) -> None:
    """Write the page.

    Args:
        path: Of the page.
        bench: The run.
        scale: Its name.
        results: Content of results.json.
        stages: What each stage returned.
    """
    study = studied(bench)
    sections = [
        Section(
            'What this is',
            [
                Drawing(vpd_picture(study, bench.corpus(), bench.sport_dir / 'videos')),
                Table(('', ''), facts(bench, stages)),
                Text(LONGER),
            ],
        ),
        recognition(bench, scale, results['recognition']),
        gap_filling(bench, scale, stages['gaps'], study),
        retrieval(bench, results['retrieval']),
        detection(bench, results['detection']),
        Section('How to go on', [Code(NEXT)]),
        made_with(bench, scale, results),
    ]
    write_page(path, 'Video Pose Distillation: the demonstration', LEAD, sections)


def studied(bench: Bench) -> Study:
    """The test films, with what the student says decoded to joints."""
    from vpd_mm.features.feature_extractor import build_extractor

    student = STUDENTS[0]
    extractor = build_extractor(student.cfg(bench), student.best(bench))
    return study_frames(bench.corpus(), bench.truth_dir, student.run, extractor.decode)


def facts(bench: Bench, stages: Mapping[str, Mapping]) -> list[tuple[str, str]]:
    """What went in."""
    found, films = stages['prepare'], stages['sport']['films']
    share = found['tracked'] / found['frames']
    sure = found['confident'] / max(found['tracked'], 1)
    generic = 'the first stages of the packed teacher (generic everyday pictures, never this sport); the rest random'
    start = {
        s.run: 'the backbone of ' + next(t.name for t in STUDENTS if t.run == s.after) for s in STUDENTS if s.after
    }
    distilled = [(s.name, stages[f'distill-{s.run}']['crops'], start.get(s.run, generic)) for s in STUDENTS]
    return [
        ('films', f'{films} with {found["frames"]:,} frames, {found["actions"]} actions of 18 classes'),
        ('athlete found by detector and tracker', f'in {share:.0%} of the frames'),
        ('actions used', f'{found["actions_tracked"]}: those tracked in at least half of their frames'),
        ('teacher sure (score 0.5 or more)', f'in {sure:.0%} of the tracked frames'),
        *((f'{name} trained on', f'{crops:,} crops; it starts from {words}') for name, crops, words in distilled),
    ]


def recognition(bench: Bench, scale: str, rows: Sequence[Mapping]) -> Section:
    """Table, plot and confusion matrices."""
    test = sum(action.split == 'test' for action in load_actions(bench.corpus().actions_path))
    section = Section('Recognise from few clips')
    body = [(row['method'], row['k'], f'{row["top1_mean"]:.1f}', f'{row["top1_std"]:.1f}', row['runs']) for row in rows]
    section.blocks.append(Table(('method', 'k', 'top-1 %', '±', 'runs'), body))
    text = f'k training clips a class; mean and sample deviation over the runs; 18 classes, {test} test clips of '
    section.blocks.append(
        Text(text + 'athletes that no training film shows. All methods have the same clips and lists.')
    )
    if scale == 'tiny':
        section.blocks.append(Text('Scale tiny: every part runs, nothing is learnt.'))
    elif (gain := points_above_joints(rows)) is not None:
        k, points = gain
        reached = points >= GOAL_POINTS
        goal = f'Goal: 2D-VPD at least {GOAL_POINTS:g} points above the teacher’s joints at k = {k}.'
        section.blocks.append(Text(f'{goal} {"Reached" if reached else "Not reached"}: {points:+.1f} points.', reached))
    if any(row['k'] != 'all' for row in rows):
        section.blocks.append(Picture(accuracy_plot(rows), 'Accuracy over the number of training clips a class.'))
    for folder in sorted((bench.work_dir / 'recognize').glob('*')):
        pictures = sorted(folder.glob(f'default-*/{max(bench.scale.ks, default="all")}_0_seed*/**/confusion*.png'))
        if pictures:
            caption = f'{folder.name}: rows the true classes, columns what was said (first subset).'
            section.blocks.append(Picture(small_uri(pictures[-1]), caption, wide=True))
    return section


def small_uri(path: Path, width: int = 720) -> str:
    """A picture file, shrunk to ``width`` px."""
    image: np.ndarray = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height = round(image.shape[0] * width / image.shape[1])
    return jpeg_uri(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def points_above_joints(rows: Sequence[Mapping]) -> tuple[int, float] | None:
    """(k, points) by which 2D-VPD beats the teacher's joints at the largest k; None where one of them has no row."""
    top1 = {(row['method'], row['k']): row['top1_mean'] for row in rows if row['k'] != 'all'}
    ks = [k for method, k in top1 if method == '2D-VPD' and (JOINTS.name, k) in top1]
    return (max(ks), top1['2D-VPD', max(ks)] - top1[JOINTS.name, max(ks)]) if ks else None


def gap_filling(bench: Bench, scale: str, gaps: Mapping[str, float], study: Study) -> Section:
    """Errors against the truth, and frames to look at."""
    section = Section('Fill the gaps of the teacher')
    names = {'sure': 'sure', 'unsure': 'not sure', 'lost': 'no pose'}
    body = []
    for group, name in names.items():
        if gaps.get(f'frames_{group}'):
            errors = (gaps.get(f'{who}_error_{group}') for who in ('teacher', 'student'))
            body.append((name, f'{gaps[f"frames_{group}"]:.0f}', *('-' if e is None else f'{e:.3f}' for e in errors)))
    section.blocks.append(Table(('teacher is', 'frames', 'teacher’s error', 'student’s error'), body))
    section.blocks.append(
        Text('Mean distance of the 13 joints to the truth in torso sizes, on tracked frames of the test films.')
    )
    if scale != 'tiny' and 'gap_gain' in gaps:
        gain, reached = gaps['gap_gain'], gaps['gap_gain'] >= GOAL_GAPS
        goal = f'Goal: at least {GOAL_GAPS:.0%} less error than the teacher where it is not sure.'
        section.blocks.append(Text(f'{goal} {"Reached" if reached else "Not reached"}: {gain:+.0%}.', reached))
        ratio = gaps['student_error_sure'] / gaps['teacher_error_sure']
        goal = f'Goal: at most {GOAL_SURE:g} times the teacher’s error where it is sure.'
        reached = ratio <= GOAL_SURE
        section.blocks.append(Text(f'{goal} {"Reached" if reached else "Not reached"}: {ratio:.2f} times.', reached))
    section.blocks += gap_pictures(bench, study)
    loss = loss_plot(bench.work_dir / 'distill' / STUDENTS[0].run)
    if loss:
        section.blocks.append(Picture(loss, 'Training of the 2D-VPD student.'))
    return section


def gap_pictures(bench: Bench, study: Study) -> list[Picture | Text]:
    """Where the student helps most and where it fails most, with how often it is closer."""
    store = CropStore(bench.corpus().crops_dir)
    unsure = np.flatnonzero(study.scores < 0.5)
    if not len(unsure):
        return [Text('The teacher was sure of every frame of the test films.')]
    gain = study.teacher_errors[unsure] - study.student_errors[unsure]
    blocks: list[Picture | Text] = [
        Text(
            f'The student is closer to the truth than the teacher in {(gain > 0).mean():.0%} of {len(unsure)} of them.'
        )
    ]
    helped, failed = unsure[np.argsort(-gain)], unsure[np.argsort(-study.student_errors[unsure])]
    for order, text in ((helped, 'where the student helps most'), (failed, 'where the student is worst')):
        chosen = study.apart(order, 7)
        caption = f'Frames that the teacher is not sure of, {text}; the numbers are errors in torso sizes.'
        blocks.append(Picture(jpeg_uri(strip(study, store, chosen)), caption, wide=True))
    return blocks


def retrieval(bench: Bench, rows: Sequence[Mapping]) -> Section:
    """Table and two queries."""
    section = Section('Find what is alike')
    ks = [name for name in rows[0] if name.startswith('precision@')]
    body = [(row['method'], *(f'{100 * row[k]:.1f}' for k in ks)) for row in rows]
    section.blocks.append(Table(('method', *(f'{k} %' for k in ks)), body))
    text = 'clips by the nearest under dynamic time warping; right is what has the same class'
    section.blocks.append(
        Text(f'{rows[0]["queries"]} test clips looked for among {rows[0]["gallery"]} training {text}.')
    )
    for uri, caption in neighbour_strips(bench.corpus(), f'features/{STUDENTS[0].run}'):
        section.blocks.append(Picture(uri, f'2D-VPD, {caption}'))
    return section


def detection(bench: Bench, rows: Sequence[Mapping]) -> Section:
    """Table and a timeline of one film."""
    section = Section('Find when it happens')
    shown = ('AP@0.3', 'AP@0.5', 'AP@0.7', 'mAP')
    body = [(row['method'], *(f'{100 * row[name]:.1f}' for name in shown)) for row in rows]
    section.blocks.append(Table(('method', *(f'{name} %' for name in shown)), body))
    text = 'uncut test films; average precision of the intervals at several overlaps; mAP is the mean over 0.1 to 0.9'
    section.blocks.append(Text(f'{rows[0]["videos"]} {text}.'))
    for folder in sorted((bench.work_dir / 'detect').glob('*/test')):
        pictures = sorted(folder.glob('*.png'))
        if pictures:
            caption = f'{folder.parent.name}: score of every frame, what was found, what is labelled.'
            section.blocks.append(Picture(file_uri(pictures[0]), caption, wide=True))
    return section


def made_with(bench: Bench, scale: str, results: Mapping) -> Section:
    """Seconds and versions."""
    seconds = results['seconds']
    body = [(name, f'{value:.0f}') for name, value in seconds.items()]
    body.append(('all', f'{sum(seconds.values()):.0f}'))
    versions = ', '.join(f'{name} {version}' for name, version in results['versions'].items())
    text = f'Scale {scale}, seed {results["seed"]}, {bench.jobs} processes or threads; {versions}.'
    return Section('What it took', [Table(('stage', 'seconds'), body), Text(text)])
