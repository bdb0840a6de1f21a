"""The benchmark of the studio: what it refuses, and how it says that the server has ended."""

import os
import signal
import time

import pytest
from learning_corpus import make_learning_corpus

from benchmarks.studio import connect, few_labels, get, studio
from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError
from vpd_mm.structures import load_actions, save_actions


def test_a_corpus_without_features_or_labels_is_refused_first(tmp_path):
    corpus = make_learning_corpus(tmp_path / 'c')
    copied = few_labels(corpus.root, tmp_path / 'copy')
    assert set(load_actions(copied.actions_path)) <= set(load_actions(corpus.actions_path))
    for path in corpus.root.glob('features/*/*.npz'):
        path.unlink()
    with pytest.raises(UserError, match=r'c: has no features; run tools/extract_features\.py'):
        few_labels(corpus.root, tmp_path / 'other')
    save_actions(corpus.actions_path, [])
    with pytest.raises(UserError, match=r'actions\.csv: has no labels of split train'):
        few_labels(corpus.root, tmp_path / 'other')


def ask_a_killed_server(corpus: Corpus) -> None:
    with studio(corpus) as (port, pid):
        connection = connect(port)
        get(connection, '/api/videos')
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        get(connection, '/api/videos')


@pytest.mark.full
def test_the_end_of_the_server_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=rf'tools/studio\.py ended with status -{signal.SIGKILL.value}'):
        ask_a_killed_server(Corpus.create(tmp_path / 'c'))
