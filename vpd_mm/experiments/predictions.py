"""Predictions of finished runs for single clips, their confusion, and the accuracy beside chance."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ..corpus import Corpus
from ..errors import counted
from ..recognize.confusion_image import confusion_matrix
from ..structures import Share, load_actions, load_classes
from .plan import Run
from .store import RunStore

_RUN = ['section', 'method', 'k']
INTERVAL_TEXT = (
    "interval: Wilson's 95 % interval of the mean accuracy for the number of test clips; subsets and seeds are tested "
    'on the same clips and do not shorten it; it takes clips as independent, and is too short where clips of one video '
    'or athlete resemble each other'
)


def predictions_of(runs: Iterable[Run], store: RunStore) -> pd.DataFrame:
    """Predictions of the finished ones of ``runs``, which have one corpus, for every test clip.

    Columns: section, method, k, subset, seed, clip (action id), video ('' where the clip is no action), label,
    prediction (names of classes), and ``score_<class>`` for each class.
    """
    parts, corpus, videos, classes = [], '', dict[str, str](), list[str]()
    for run in runs:
        if run.key not in store or not store.scores_path(run.key).is_file():
            continue
        if run.corpus != corpus:
            corpus, opened = run.corpus, Corpus.open(run.corpus)
            classes = load_classes(opened.classes_path)
            videos = {action.action_id: action.video for action in load_actions(opened.actions_path)}
        scores = store.scores(run.key)
        about: dict[str, Any] = {'section': run.section, 'method': run.method.name, 'k': run.k or 'all'}
        about |= {'subset': run.subset, 'seed': run.seed, 'clip': scores.action_ids}
        about |= {'video': [videos.get(clip, '') for clip in scores.action_ids.tolist()]}
        about |= {'label': [classes[i] for i in scores.labels]}
        about |= {'prediction': [classes[i] for i in scores.scores.argmax(axis=1)]}
        columns = dict(zip((f'score_{name}' for name in classes), scores.scores.round(4).T, strict=True))
        parts.append(pd.DataFrame(about | columns))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_RUN, 'label', 'prediction'])


def confusion_of(predictions: pd.DataFrame) -> pd.DataFrame:
    """Confusion of each method and k: counts summed over subsets and seeds, one row for each true class.

    Columns: section, method, k, label, and ``predicted_<class>`` for each class.
    """
    classes = [name.removeprefix('score_') for name in predictions if name.startswith('score_')]
    number, parts = {name: i for i, name in enumerate(classes)}, []
    for values, rows in predictions.groupby(_RUN, sort=False):
        matrix = confusion_matrix(rows['prediction'].map(number), rows['label'].map(number), len(classes))
        counts = pd.DataFrame(matrix, columns=[f'predicted_{name}' for name in classes])
        parts.append(pd.DataFrame(dict(zip(_RUN, values, strict=True)) | {'label': classes}).join(counts))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_RUN, 'label'])


def share_of(row: Mapping[str, Any]) -> Share | None:
    """Top-1 accuracy of a row of :func:`summarize` on its clips, beside chance; None where it has none.

    Chance is the better one of a uniform guess and of always naming the most frequent class of the test clips.
    """
    if pd.isna(row.get('clips')) or pd.isna(row.get('top1_mean')):
        return None
    return Share(row['top1_mean'] / 100, int(row['clips']), max(row['chance'], row['majority']) / 100)


def test_set_text(row: Mapping[str, Any]) -> str:
    """The test set of a row of :func:`summarize`, and chance on it, in words."""
    videos = '' if pd.isna(row.get('videos')) else f' of {counted(int(row["videos"]), "video")}'
    chance = (
        f'{row["chance"]:.1f} % by a uniform guess, {row["majority"]:.1f} % by always naming the most frequent class'
    )
    clips, classes = counted(int(row['clips']), 'test clip'), counted(int(row['classes']), 'class')
    return f'{clips}{videos}, {classes}; chance: {chance}'
