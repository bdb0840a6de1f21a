"""Measured quality on a real video."""

import pytest

from benchmarks import BENCHMARKS, load_benchmark
from benchmarks.prepare import GOALS, main, measure
from vpd_mm.corpus import Corpus, CropStore


@pytest.mark.full
def test_wall_flip(shared, tmp_path):
    poses = str(shared / 'videos' / 'poses')
    result = measure(tmp_path, str(shared / 'videos' / 'wall_flip.mp4'), poses, poses, reads=200)
    assert result['KB a frame on disk'] <= GOALS['KB a frame on disk'][0]
    assert result['RGB PSNR, worst frame dB'] >= GOALS['RGB PSNR, worst frame dB'][0]
    assert result['flow error, mean px'] <= GOALS['flow error, mean px'][0]
    corpus = Corpus.open(tmp_path / 'corpus')
    assert corpus.video('wall_flip').num_frames == 230
    assert len(corpus.track('wall_flip')) == len(CropStore(corpus.crops_dir).header('wall_flip')) == 225
    assert len(corpus.poses('files', 'wall_flip')) == 208


def test_benchmarks_load():
    assert load_benchmark('prepare') is main
    assert all(callable(load_benchmark(name)) for name in BENCHMARKS)
