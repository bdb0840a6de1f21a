"""The steps of ``vpd-mm quickstart``: corpus, check, targets, student, features; with labels three applications."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..athlete import VideoReader
from ..corpus import Corpus, CropStore
from ..corpus.stale_files import digest
from ..engine.cli import num_cores
from ..engine.config import parse_options, read_config
from ..engine.console import PlainConsole
from ..engine.tool_list import tool_command
from ..errors import UserError, counted, errors_name
from ..features.clip_summary import describe_splits
from ..features.corpus_config import adapt_config
from ..features.corpus_content import CorpusContent
from ..files import input_name
from ..importers import read_label_table
from ..importers.label_table import ATHLETES_SHARED, check_splits, find_video, label_set
from ..prepare.options import DEFAULT_BOXES, DEFAULT_POSES, PrepareSettings
from ..prepare.sources import find_videos
from ..retrieve import load_clips
from ..structures import load_actions
from ..visualize.report import Code, Section, Table, Text
from . import verdicts
from .page import write_page
from .steps import Result, Steps, write_json

STUDENT = 'configs/distill/resnet18_2d-vpd_40e_real.py'
RECOGNIZER = 'configs/recognize/bigru_fast_features.py'
SCORER = 'configs/detect/bigru_detector_classes.py'
FEATURES = 'vpd'
#: Times that each target is drawn, draws of an epoch of STUDENT, and fewest and most epochs.
DRAWS, EPOCH_DRAWS, EPOCHS = 40, 2000, (5, 40)
MAX_WORKERS = 4
#: Fewest frames of the video that goes first.
FIRST_FRAMES = 10
LEAD = (
    'Video Pose Distillation on your videos. Each step names the command that it runs, its purpose and a verdict. All '
    'numbers were computed on this machine.'
)
#: A table of labels, as an example.
TABLE = """video,label
run.mp4,jump
walk.mp4,turn"""


@dataclass(frozen=True)
class QuickstartOptions:
    """Options of :func:`run_quickstart`.

    Args:
        boxes, poses, track, fps: As in ``tools/prepare.py``; '', () and None = its defaults.
        epochs: Of the student; None = :func:`epochs_for` the number of targets.
        workers: Processes of prepare; None = one per core, at most MAX_WORKERS.
    """

    boxes: str = ''
    poses: str = ''
    track: Sequence[str] = ()
    fps: float | None = None
    epochs: int | None = None
    workers: int | None = None

    def settings(self, out: Path) -> PrepareSettings:
        """The settings of prepare; raises UserError where one is not valid."""
        rules = parse_options('--track', self.track)
        boxes, poses = self.boxes or DEFAULT_BOXES, self.poses or DEFAULT_POSES
        return PrepareSettings(out, boxes, poses, fps=self.fps, tracker=rules)

    def words(self) -> list[str]:
        """The arguments of ``tools/prepare.py``."""
        words = [
            word
            for name in ('boxes', 'poses', 'fps')
            if (value := getattr(self, name))
            for word in (f'--{name}', str(value))
        ]
        return words + (['--track', *self.track] if self.track else [])


def epochs_for(num_targets: int) -> int:
    """Epochs of the student: so many that each target is drawn DRAWS times, within the limits of EPOCHS.

    Example:
        >>> epochs_for(100), epochs_for(500), epochs_for(100_000)
        (5, 10, 40)
    """
    least, most = EPOCHS
    return min(max(round(DRAWS * num_targets / EPOCH_DRAWS), least), most)


def run_quickstart(
    videos: Iterable[str | Path], labels: Path | None, out: Path, options: QuickstartOptions, console: PlainConsole
) -> Path:
    """Run what is missing of all steps; returns the report, which is written again after each step.

    The folder ``out`` gets the corpus, the work dirs of student, recogniser and detector, and ``report.html``.

    Args:
        videos: Video files, or folders of them.
        labels: Table of :func:`vpd_mm.importers.read_label_table`; None = the steps without labels.
        out: Folder of the run.

    Raises:
        UserError: a step fails, or its verdict is that the next ones cannot run; the labels are not valid.
    """
    given = [str(video) for video in videos]
    files, report = find_videos(given), out / 'report.html'
    if labels is not None:
        check_labels(labels, files)
    settings, root = options.settings(out), out / 'corpus'
    identity = {
        'videos': [str(Path(video).resolve()) for video in given],
        **{name: _absolute(getattr(settings, name)) for name in ('boxes', 'poses')},
        'track': settings.tracker,
        'fps': settings.fps,
    }
    if (out / 'quickstart.json').is_file() and not (root / 'corpus.json').is_file():  # nothing was made with it
        write_json(out / 'quickstart.json', identity)
    after: list[Section] = []
    on_change = lambda records: write_page(report, 'Quickstart', LEAD, records, after)  # noqa: E731
    steps = Steps(out, 'quickstart', identity, console, on_change)
    console.print(f'report: {report} (open it in a browser; it is written again after each step)', soft_wrap=True)
    teacher = ['--corpus', root]

    first = first_video(files)
    if len(files) > 1:
        text = 'The smallest video goes first, so that you soon see whether the right person is followed.'
        command = ['prepare', first, '--out', root, *options.words()]
        steps.tool('first', 'Prepare one video', text, command, lambda: verdicts.judge_first(root, input_name(first)))
        draw_sheet(steps, root, input_name(first), report)
    text = 'All later steps read small images around the athlete, their motion (optical flow), and the poses.'
    workers = min(options.workers or min(num_cores(), MAX_WORKERS), len(files))
    command = ['prepare', *given, '--out', root, *options.words(), '--workers', workers]
    steps.tool('prepare', 'Prepare all videos', text, command, lambda: verdicts.judge_corpus(root, files))
    if len(files) == 1:
        draw_sheet(steps, root, next(iter(Corpus.open(root).videos())), report)
    text = 'Numbers say whether boxes and poses are good enough to train on.'
    steps.tool('check', 'Check the corpus', text, ['prepare', 'inspect', root], lambda: verdicts.judge_check(root))
    tables = [block for block in steps.records[-1].blocks if isinstance(block, Table)]
    marked = [str(row[0]) for table in tables for row in table.rows if '!' in str(row[-1])]

    corpus = Corpus.open(root)
    text = 'Joints relative to hips and torso: the student learns them in the frames where the teacher is confident.'
    command = ['extract_features', 'joints', *teacher, *pose_words(corpus, options)]
    steps.tool('targets', 'Make the targets', text, command, lambda: verdicts.judge_targets(root))
    num_targets = verdicts.count_targets(corpus)
    epochs = options.epochs or epochs_for(num_targets)
    work_dir = out / f'student-{student_digest(corpus, epochs)}'
    text = (
        'A network learns the poses of confident frames from crop and flow, so that it can describe every frame. '
        f'{counted(epochs, "epoch")} of {EPOCH_DRAWS:,} draws'
        + (': as given.' if options.epochs else f': each of the {num_targets:,} targets about {DRAWS} times.')
    )
    command = ['train', STUDENT, *teacher, '--epochs', epochs, '--work-dir', work_dir, '--resume']
    cfg = adapt_config(read_config(STUDENT), str(root))
    steps.tool('student', 'Train the student', text, command, lambda: verdicts.judge_student(cfg, work_dir, marked))
    has_learnt = verdicts.NOTHING not in getattr(steps.records[-1].verdict, 'hint', '')
    text = 'One vector per tracked frame, also where the teacher has no pose; the preview draws both beside each other.'
    command = ['extract_features', work_dir, *teacher, '--out', FEATURES, '--preview', '--overwrite']
    judge = lambda: verdicts.judge_features(root, FEATURES, has_learnt)  # noqa: E731
    steps.tool('features', 'Describe every frame', text, command, judge)
    after.append(section := next_steps(work_dir, first, labels))
    if labels is None:
        reason = 'pass --labels with a table of the columns video,label (start_sec,end_sec for parts of a video)'
        steps.skip('labels', 'Recognise, retrieve and detect actions', reason)
    else:
        recognize = tool_command('infer', first, '--student', work_dir, '--recognizer', out / 'recognition')
        use_labels(steps, corpus, labels, out, section, recognize)
    return report


def _absolute(source: str) -> str:
    """A folder by its absolute path; else the source itself."""
    return str(Path(source).resolve()) if Path(source).is_dir() else source


def first_video(files: Sequence[Path]) -> Path:
    """The smallest video that can be opened and has FIRST_FRAMES frames; else the first one."""
    for path in sorted((path for path in files if path.is_file()), key=lambda path: path.stat().st_size):
        with suppress(UserError):
            if VideoReader(path).num_frames >= FIRST_FRAMES:
                return path
    return files[0]


def draw_sheet(steps: Steps, root: Path, video: str, report: Path) -> None:
    """Draw one video; nothing without crops."""
    if video not in CropStore(Corpus.open(root).crops_dir):
        return
    text = 'Look at it: whatever is wrong here, no later step can repair.'
    command = ['prepare', 'inspect', root, video, '--overwrite']
    steps.tool('sheet', 'Draw one video', text, command, lambda: verdicts.judge_sheet(root, video))
    steps.console.print(f'    first image: {root / "inspect" / f"{video}.png"}, also in {report}', soft_wrap=True)


def use_labels(steps: Steps, corpus: Corpus, labels: Path, out: Path, section: Section, recognize: str) -> None:
    """The steps that need labels; the command ``recognize`` becomes a next step of ``section``."""
    root, reading = corpus.root, ['--corpus', corpus.root, '--features', FEATURES]
    text = 'The table becomes classes and actions, each of them in train, val (chooses the best epoch) or test.'
    command = ['import_dataset', 'labels', labels, '--out', root, '--overwrite']
    table = lambda: label_set(labels, read_label_table(labels), corpus)  # noqa: E731

    def judge_labels() -> Result:
        made = table()
        return verdicts.judge_labels(root, made.divided, made.other_counts[ATHLETES_SHARED], FEATURES)

    steps.tool('labels', 'Import the labels', text, command, judge_labels)
    actions = load_actions(corpus.actions_path)
    if problem := verdicts.problem_of_splits(corpus, table().divided):
        steps.skip('recognition', 'Recognise, retrieve and detect actions', problem)
        return
    doubts = [
        record.verdict.hint
        for record in steps.records
        if record.name in ('student', 'labels') and record.verdict and record.verdict.level == 'warn'
    ]
    lines, seen = describe_splits(corpus, [FEATURES])
    doubts += seen
    whole = verdicts.is_whole_video(actions, corpus)

    text = (
        'A small network learns the classes from the features of the training clips, and is tested on the test clips.'
    )
    work_dir = out / 'recognition'
    command = ['fewshot', RECOGNIZER, *reading, '--k', 'all', '--all-seeds', 1, '--allow-missing']
    command += ['--work-dir', work_dir, '--overwrite']
    judge = lambda: verdicts.judge_recognition(work_dir, [*lines, *seen], doubts)  # noqa: E731
    steps.tool('recognition', 'Recognise actions', text, command, judge)
    section.blocks += [Text('With the names of the classes:'), Code(recognize)]

    text = 'Clips that are alike by dynamic time warping, without any training. '
    text += 'Each clip is compared with all others.' if whole else 'Each test clip is compared with the training clips.'
    path = out / 'retrieval.csv'
    command = ['retrieve', *reading, '--allow-missing', '--ks', 1, '--out', path, '--overwrite']
    command += [] if whole else ['--split', 'test', '--gallery-split', 'train']

    def judge_retrieval() -> Result:
        clips = load_clips(corpus, FEATURES, allow_missing=True)
        queries, gallery = (clips, clips) if whole else (clips.of_split('test'), clips.of_split('train'))
        return verdicts.judge_retrieval(path, queries, gallery, doubts)

    steps.tool('retrieval', 'Retrieve similar clips', text, command, judge_retrieval)
    title, out_dir = 'Detect actions', out / 'detection'
    if whole:
        steps.skip('detection', title, 'the labels are of whole videos, in which there is nothing to find')
        return
    if lacking := verdicts.lacks_videos(actions):
        steps.skip('detection', title, lacking)
        return
    text = 'Where in an uncut video does an action happen: the score of every frame, and intervals of high scores.'
    command = ['detect', SCORER, *reading, '--allow-missing']
    command += ['--work-dir', out_dir, '--out', out_dir / 'test', '--overwrite']
    steps.tool('detection', title, text, command, lambda: verdicts.judge_detection(out_dir / 'test'))


def next_steps(work_dir: Path, video: Path, labels: Path | None) -> Section:
    """The section of the report on what to do with a student."""
    section = Section('Next steps', [Text('The student runs on any video of this sport, without a pose model:')])
    section.blocks.append(Code(tool_command('infer', video, '--student', work_dir)))
    if labels is None:
        text = (
            'With --labels labels.csv, the same command also recognises, retrieves and detects actions. The file names '
            'the class of each video; with the columns start_sec,end_sec, that of each action:'
        )
        section.blocks += [Text(text), Code(TABLE)]
    return section


def check_labels(labels: Path, files: Sequence[Path]) -> None:
    """Refuse a table that is not valid, or names other videos, before the long steps."""
    rows, names = read_label_table(labels), {input_name(path): '' for path in files}
    for row in rows:
        with errors_name(f'{labels}:{row.line}'):
            if '__' not in row.video:  # an athlete of a video that shows several
                find_video(row.video, {}, names)
    if len({row.label for row in rows}) < 2:
        raise UserError(f'{labels}: holds the class {rows[0].label!r} alone; two or more can be told apart')
    check_splits(labels, rows, names)


def pose_words(corpus: Corpus, options: QuickstartOptions) -> list[str]:
    """The arguments that choose the pose set, where there are several: that of the options."""
    names = corpus.pose_names()
    if len(names) < 2:
        return []
    name = options.settings(corpus.root).pose_set
    return ['--poses', str(name if name in names else names[0]), '--overwrite']


def student_digest(corpus: Corpus, epochs: int) -> str:
    """Name of a training: of targets, crops and epochs, but not of labels, which it does not read."""
    content, folder = CorpusContent(corpus), corpus.teacher_dir('joints')
    return digest([content.arrays(folder, tuple(corpus.videos())), content.crops(None), epochs])[:8]
