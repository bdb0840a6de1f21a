from pathlib import Path

import numpy as np
import pytest

from benchmarks import scale
from vpd_mm.corpus import CropStore, FeatureStore
from vpd_mm.errors import UserError

pytestmark = pytest.mark.skipif(not Path('/proc/self/smaps_rollup').exists(), reason='memory is read from /proc')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('scale')


@pytest.fixture(scope='module')
def corpus(folder):
    return scale.make_corpus(folder, 10, 30)


def test_the_corpus_is_of_the_real_format_and_made_once(corpus, folder):
    store, teacher = CropStore(corpus.crops_dir), FeatureStore(corpus.teacher_dir(scale.TEACHER))
    assert store.videos() == teacher.videos() == [f'video{i:05d}' for i in range(10)]
    assert store.crop('video00009', 29).shape == (16, 16, 3)
    assert not np.array_equal(teacher['video00001'].feats, teacher['video00002'].feats)
    assert scale.make_corpus(folder, 10, 30) == corpus
    corpus.videos_path.rename(folder / 'videos.csv')
    with pytest.raises(UserError, match='is not complete'):
        scale.make_corpus(folder, 10, 30)
    (folder / 'videos.csv').rename(corpus.videos_path)


def test_the_numbers_of_a_training(corpus, folder, monkeypatch):
    monkeypatch.setattr(scale, 'WORKERS', {'fork': 2})
    monkeypatch.setattr(scale, 'DRAWS', 300)
    monkeypatch.setattr(scale, 'LOADED', 500)
    numbers = scale.measure_training(folder, corpus.root)
    others = ('prepare', 'extract', 'spawned')
    assert numbers.keys() == {name for name in scale.GOALS if not any(other in name for other in others)}
    assert all(value > 0 for value in numbers.values())


def test_finished_videos_are_skipped(corpus, folder):
    assert scale.measure_prepare(folder, corpus.root)['restart of prepare, s'] > 0
    assert scale.measure_extraction(folder, corpus.root)['restart of extract_features, s'] > 0
    corpus.track_path('video00003').unlink()
    with pytest.raises(RuntimeError, match='prepare did not skip'):
        scale.measure_prepare(folder, corpus.root)


@pytest.mark.full
def test_the_command_prints_each_goal(tmp_path, capsys):
    scale.main(['--frames', '300', '--videos', '10', '--out', str(tmp_path)])
    lines = [line for line in capsys.readouterr().out.splitlines() if ': reached' in line or ': MISSED' in line]
    assert {line[:40].strip() for line in lines} == scale.GOALS.keys()
