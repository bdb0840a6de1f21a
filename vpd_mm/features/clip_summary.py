"""Lines for people about labelled clips before a test: their splits, and what the student of the features has seen."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..corpus import Corpus
from ..structures import Action, load_actions
from .clips import FeatureReader


def describe_splits(corpus: Corpus, features: Iterable[str] = ()) -> tuple[list[str], list[str]]:
    """Describe the labelled clips of a corpus and what a test on them says about new videos.

    Args:
        corpus: Its actions are read.
        features: Names of features, several that are concatenated joined by ``+``.

    Returns:
        Lines, and warnings: test clips of videos of the training, of recognisers or of the student of the features.

    Example of a line: ``test: 10 clips of 4 videos, of 2 classes``.
    """
    of_split: dict[str, list[Action]] = defaultdict(list)
    for action in load_actions(corpus.actions_path):
        of_split[action.split].append(action)
    lines, warnings = [], []
    for split, actions in of_split.items():
        videos, labels = ({getattr(action, name) for action in actions} for name in ('video', 'label'))
        lines.append(f'{split}: {len(actions)} clips, videos: {len(videos)}, classes: {len(labels)}')
    tested = of_split.get('test', [])
    known = {action.video for split, actions in of_split.items() if split != 'test' for action in actions}
    if shared := [action for action in tested if action.video in known]:
        warnings.append(
            f'{len(shared)} of {len(tested)} test clips are of videos with training or validation clips: the results '
            'flatter, new videos give worse ones'
        )
    for name in features if tested else ():
        line, seen = seen_by_student(corpus, name.split('+'), tested, 'test clips')
        if seen:
            warnings.append(f'{line}: the results flatter, new videos give worse ones')
        elif line:
            lines.append(line)
    return lines, warnings


def seen_by_student(corpus: Corpus, names: Sequence[str], actions: Sequence[Action], what: str) -> tuple[str, bool]:
    """Say in a line on the videos of how many actions the student of their features was trained.

    Also returns True where it was trained on some, which flatters a test.  Features without a student, such as joints,
    and those of a student whose checkpoint does not record its videos have no line.

    Example of a line: ``the student of vpd was trained on the videos of 3 of 10 test clips``.
    """
    reader = FeatureReader(corpus, names)
    of_video = {video: reader.trained_on(video) for video in {action.video for action in actions}}
    known = [seen for action in actions if (seen := of_video[action.video]) is not None]
    if not known:
        return '', False
    number = f'{sum(known)} of {len(actions)}' if any(known) else f'none of the {len(actions)}'
    return f'the student of {"+".join(names)} was trained on the videos of {number} {what}', any(known)
