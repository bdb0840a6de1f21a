import numpy as np
import pytest

from benchmarks.vipe import evaluate
from vpd_mm.engine.checkpoint_packer import check_packed
from vpd_mm.synthetic.checkpoints import packed_model


@pytest.fixture(scope='module')
def metrics():
    return evaluate(*packed_model('vipe'), num_poses=300)


def test_checkpoint_size_and_digest():
    _, checkpoint = packed_model('vipe')
    assert check_packed(checkpoint).stat().st_size <= 8_000_000


def test_retrieves_poses_across_cameras_more_often_than_joints(metrics):
    """On 300 poses; on 2000, the test set, twice as often (README beside the checkpoint)."""
    assert metrics['gain'] >= 1.6
    hits = [metrics[f'hit@{k}'] for k in (1, 5, 10, 20)]
    assert np.all(np.diff(hits) >= 0)
    assert hits[2] > 0.92


def test_mirrored_poses_are_usually_farther_than_another_view(metrics):
    """On 300 poses; on the test set in 0.9 of the cases."""
    assert metrics['chirality'] >= 0.8
