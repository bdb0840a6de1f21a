"""The measurements of the loader on a tiny corpus."""

import numpy as np
import pytest
import torch

from benchmarks import distill
from benchmarks.published_loader import PublishedCrops, write_png_crops
from vpd_mm.corpus import CropStore
from vpd_mm.engine.paths import find_config

SMALL = 'configs/distill/resnet18_2d-vpd_40e_real.py'


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return distill.make_corpus(tmp_path_factory.mktemp('distill') / 'corpus', num_frames=40, size=64)


@pytest.mark.full  # imports the transforms of torchvision
def test_loader_is_compared_with_decoding_and_the_published_way(corpus, tmp_path):
    config = tmp_path / 'small.py'
    config.write_text(f'_base_ = {str(find_config(SMALL))!r}\ntrain_dataloader = dict(batch_size=4)\n')
    decoding, published = distill.measure_loaders([str(config)], corpus, tmp_path / 'png', 0.1)
    assert decoding[0].startswith('loader at 64 px')
    assert 0 < float(decoding[1].rstrip('%')) < 200
    assert decoding[2:] == ('>= 70%', float(decoding[1].rstrip('%')) >= 70)
    assert published[2] == '>= 10 x'


def test_profile_has_all_transforms_of_the_training(corpus):
    table = distill.profile_sample(SMALL, corpus, 100)
    stages = list(table.columns[0].cells)
    transforms = ['LoadCrop', 'LoadFlow', 'ResizedCrop', 'CropColorJitter', 'ChiralFlip', 'StackFlow', 'PackCropInputs']
    assert stages == ['item', *transforms, 'decoding', 'collate', 'all']


def test_every_handover_has_the_time_of_loader_and_device(corpus):
    table = distill.measure_handovers(SMALL, corpus, 1, 8)
    handovers, *times = (list(column.cells) for column in table.columns)
    assert handovers == ['augmented', 'decoded', 'encoded']
    assert all(int(ms) >= 0 for column in times for ms in column)


def test_published_samples_are_the_crops_of_the_corpus(corpus, tmp_path, monkeypatch):
    store = CropStore(corpus.crops_dir)
    (path,) = write_png_crops(store, tmp_path / 'png', 1)
    rgb, flow, _ = store.read('a', 0)
    data = PublishedCrops([path], 64, np.array([[[1.0], [2.0]]]))
    data._window = data._color = lambda image: image
    monkeypatch.setattr('random.random', lambda: 0.9)  # neither flipped nor noisy
    sample = data[0]
    np.testing.assert_allclose(sample['img'][:3] * 255, rgb.transpose(2, 0, 1), atol=1e-3)
    np.testing.assert_allclose(sample['img'][3:] * 40, flow.transpose(2, 0, 1), atol=40 / 255)
    assert sample['emb'] == torch.tensor([1.0])
    monkeypatch.setattr('random.random', lambda: 0.1)
    flipped = data[0]
    torch.testing.assert_close(flipped['img'][3], -sample['img'][3].flip(-1))
    assert flipped['emb'] == torch.tensor([2.0])
