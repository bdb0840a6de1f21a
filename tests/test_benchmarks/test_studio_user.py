"""The simulated user: labels needed, the order of the queue, the performed sport."""

import math

import numpy as np
import pytest

from benchmarks import studio_user
from vpd_mm.corpus import Corpus
from vpd_mm.structures import load_actions


def test_labels_needed_are_interpolated():
    points = [(10, 0.4), (20, 0.6), (30, 0.5), (40, 0.9)]
    assert studio_user.labels_needed(points, 0.5) == pytest.approx(15)
    assert studio_user.labels_needed(points, 0.7) == pytest.approx(35)
    assert studio_user.labels_needed(points, 0.3) == 10
    assert math.isnan(studio_user.labels_needed(points, 0.95))


def test_the_goal_counts_every_level_and_seed(capsys):
    fast, slow = [(10, 0.5), (20, 0.75)], [(10, 0.5), (40, 0.75)]
    assert studio_user.report({'informative': [fast, fast], 'random': [slow, slow]})
    assert 'fewer labels for 60 %' in capsys.readouterr().out
    assert not studio_user.report({'informative': [slow], 'random': [fast]})
    assert not studio_user.report({'informative': [fast, fast], 'random': [slow, [(10, 0.5), (40, 0.65)]]})


def test_the_queue_asks_for_each_group_before_it_asks_again():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 10)
    vectors = (10 * labels[:, None] + rng.normal(0, 0.1, (40, 3)))[:, None]
    probabilities, doubts = np.full((40, 4), 0.25), np.zeros(40)
    left = np.arange(1, 40)
    asked = studio_user.order_pool(vectors, labels, 4, [0], left, (probabilities, doubts), 3)
    assert sorted(labels[asked]) == [1, 2, 3]


def test_the_sport_is_performed_without_images(tmp_path):
    root = studio_user.perform_sport(tmp_path / 'sport', 2, 1)
    corpus = Corpus.open(root)
    actions = load_actions(corpus.actions_path)
    assert {a.split for a in actions} == {'train', 'test'}
    assert len(actions) >= 9
    pool = studio_user.Pool(root, 'joints')
    assert len(pool.actions) + len(pool.test_clips) == len(actions)
    assert pool.clips[0].shape[1:] == (2, 26)
    assert pool.vectors.shape[1] == 2
