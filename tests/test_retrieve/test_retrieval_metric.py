import numpy as np
import pytest
import torch

from vpd_mm.errors import UserError
from vpd_mm.registry import METRICS
from vpd_mm.retrieve import hit_at, precision_at

RELEVANT = np.array([[1, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]], bool)


def test_values():
    assert [precision_at(RELEVANT, k) for k in (1, 2, 4)] == pytest.approx([1 / 3, 1 / 6, 4 / 12])
    assert [hit_at(RELEVANT, k) for k in (1, 2, 4)] == pytest.approx([1 / 3, 1 / 3, 2 / 3])


@pytest.mark.parametrize(('relevant', 'k'), [(RELEVANT, 5), (RELEVANT, 0), (RELEVANT[:0], 1), (RELEVANT[0], 1)])
def test_too_few_ranks_are_refused(relevant, k):
    with pytest.raises(UserError, match='ranked items'):
        precision_at(relevant, k)


def test_metric_is_built_and_counts():
    metric = METRICS.build(dict(type='RetrievalMetric', ks=(1, 2)))
    metric.process(
        None,
        [
            {'gt_label': 2, 'ranked_labels': [2, 1, 0]},
            {'gt_label': torch.tensor([1]), 'ranked_labels': torch.tensor([0, 1])},
        ],
    )
    assert metric.evaluate(2) == {
        'retrieval/precision@1': 0.5,
        'retrieval/precision@2': 0.5,
        'retrieval/hit@1': 0.5,
        'retrieval/hit@2': 1.0,
    }
    with pytest.raises(UserError, match='needs 2 ranked items, a sample has 1'):
        metric.process(None, [{'gt_label': 0, 'ranked_labels': [0]}])
