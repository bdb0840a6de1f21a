"""The settings of the students of ``benchmark.py real``."""

import numpy as np
import pytest

from benchmarks.real_students import CONFIG, read_settings
from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import datasets_of
from vpd_mm.files import npz_path
from vpd_mm.structures import FeatureSequence


def test_validation_holds_out_what_the_training_leaves_out(tmp_path):
    corpus = Corpus.create(tmp_path / 'corpus', 'corpus', 'parkour')
    root = corpus.root
    FeatureSequence(np.arange(2), np.zeros((2, 2, 26), np.float32), np.ones(2, np.float32)).save(
        npz_path(corpus.teacher_dir('joints'), 'a')
    )
    cfg = read_settings(CONFIG, ['train_dataloader.dataset.holdout=block'], root)
    assert [dataset.holdout for dataset in datasets_of(cfg)] == ['block'] * 3
    with pytest.raises(UserError, match='held-out frames follow the training'):
        read_settings(CONFIG, ['val_dataloader.dataset.holdout=block'], root)
