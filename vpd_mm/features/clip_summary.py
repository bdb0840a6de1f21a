"""Lines for people: splits of labelled clips, what the student of the features has seen, the command for a video."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ..corpus import Corpus, FeatureStore
from ..engine.model_files import find_one_trained
from ..engine.tool_list import tool_command
from ..errors import UserError, counted
from ..files import npz_path
from ..structures import Action, load_actions, load_classes
from ..structures.npz_io import read_source
from .clips import FeatureReader, resolve_features, split_names

#: What it means that a test is not on new videos.
TOO_GOOD = 'the results are too good, new videos give worse ones'


def describe_splits(corpus: Corpus, features: Iterable[str] = ()) -> tuple[list[str], list[str]]:
    """Describe the labelled clips of a corpus and what a test on them says about new videos.

    Args:
        corpus: Its actions are read.
        features: Names of features, several that are concatenated joined by ``+``.

    Returns:
        Lines, and warnings: classes without a training clip, and test clips of videos of the training, of recognisers
        or of the student of the features.

    Example of a line: ``test: 10 clips of 4 videos, 2 classes``.
    """
    of_split: dict[str, list[Action]] = defaultdict(list)
    for action in load_actions(corpus.actions_path):
        of_split[action.split].append(action)
    lines, warnings = [], []
    for split, actions in of_split.items():
        videos, labels = (len({getattr(action, name) for action in actions}) for name in ('video', 'label'))
        clips = f'{counted(len(actions), "clip")} of {counted(videos, "video")}'
        lines.append(f'{split}: {clips}, {counted(labels, "class")}')
    tested = of_split.get('test', [])
    trained = [action for split in corpus.settings().train_splits for action in of_split.get(split, [])]
    classes = load_classes(corpus.classes_path) if corpus.classes_path.exists() else []
    warnings += [f'{name} has no training clip: it cannot be recognised' for name in absent_classes(classes, trained)]
    lines += [f'{name} has no test clip' for name in absent_classes(classes, tested)]
    known = {action.video for split, actions in of_split.items() if split != 'test' for action in actions}
    if shared := [action for action in tested if action.video in known]:
        warnings.append(
            f'{len(shared)} of {len(tested)} test clips from videos with training or validation clips: {TOO_GOOD}'
        )
    for name in features if tested else ():
        line, seen = seen_by_student(corpus, split_names(name), tested, 'test clips')
        if seen:
            warnings.append(f'{line}: {TOO_GOOD}')
        elif line:
            lines.append(line)
    return lines, warnings


def absent_classes(classes: Sequence[str], actions: Iterable[Action]) -> list[str]:
    """'class NAME' for each class without an action; none where there are no actions at all."""
    present = {action.label for action in actions}
    return [f'class {name}' for label, name in enumerate(classes) if present and label not in present]


def seen_by_student(corpus: Corpus, names: Sequence[str], actions: Sequence[Action], what: str) -> tuple[str, bool]:
    """Say in a line on the videos of how many actions the student of their features was trained.

    Also returns True where it was trained on some, so that a test is too good.  Features without a student, such as
    joints, and those of a student whose checkpoint does not record its videos have no line.

    Example of a line: ``the student of vpd was trained on the videos of 3 of 10 test clips``.
    """
    reader = FeatureReader(corpus, names)
    of_video = {video: reader.trained_on(video) for video in {action.video for action in actions}}
    known = [seen for action in actions if (seen := of_video[action.video]) is not None]
    if not known:
        return '', False
    number = f'{sum(known)} of {len(actions)}' if any(known) else f'none of the {len(actions)}'
    return f'the student of {"+".join(names)} was trained on the videos of {number} {what}', any(known)


def infer_command(corpus: Corpus, features: str | Sequence[str], option: str, run: str | os.PathLike) -> str:
    """The command that applies the model in a run folder to a video of the corpus.

    ``option`` is '--recognizer' or '--scorer'.  '' where the model reads more than the features of one student, which
    are all that ``tools/infer.py`` computes, or where no video file is there, or no student that the features record.
    """
    names = split_names(features)
    video = next((info.path for info in corpus.videos().values() if Path(info.path).is_file()), '')
    if not video or len(names) != 1 or resolve_features(corpus, names[0]).parent.name != 'features':
        return ''
    store = FeatureStore(resolve_features(corpus, names[0]))
    sources = (read_source(npz_path(store.directory, name)) or {} for name in store.videos())
    student = next((source['student'] for source in sources if source.get('student')), '')
    with suppress(UserError):
        find_one_trained(student, 'student')
        parts = [student] if Path(student).exists() else student.split(':')
        spec = ':'.join(os.path.relpath(part) if Path(part).is_relative_to(Path.cwd()) else part for part in parts)
        return tool_command('infer', video, '--student', spec, option, run)
    return ''
