"""Augmentation on the device has the numbers of the transforms, and their pixels within rounding."""

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from torch.utils.data import default_collate

from vpd_mm.corpus import Corpus, CropWriter
from vpd_mm.distill import (
    BackgroundNoise,
    ChiralFlip,
    CropColorJitter,
    CropDataset,
    CropPreprocessor,
    LoadCrop,
    LoadFlow,
    PackCropInputs,
    ResizedCrop,
    StackFlow,
)
from vpd_mm.distill.device_augmentation import augment, decode_crops
from vpd_mm.errors import UserError
from vpd_mm.structures import FeatureSequence

LOAD = [LoadCrop(), LoadFlow()]
PACK = [StackFlow(), PackCropInputs()]
COLOR, NOISE = CropColorJitter(), BackgroundNoise()


def pipelines(size):
    """The pipelines of the paper and of the small configs, and one that flips first."""
    window, flip = ResizedCrop(size), ChiralFlip()
    return {
        'paper': [*LOAD, COLOR, NOISE, window, flip, *PACK],
        'small': [*LOAD, window, COLOR, flip, *PACK],
        'flip first': [*LOAD, flip, COLOR, window, *PACK],
        'no window': [*LOAD, COLOR, flip, *PACK],
        'test': [*LOAD, ResizedCrop(size, scale=(1.0, 1.0)), *PACK],
        'no flow': [LOAD[0], NOISE, window, flip, StackFlow(with_flow=False), PACK[1]],
    }


def make_corpus(root, sizes):
    """Videos of smooth crops of the given sides, with flow and masks."""
    rng, corpus = np.random.default_rng(0), Corpus.create(root)
    with CropWriter(corpus.crops_dir / 'shard-0.lmdb') as writer:
        for size in sizes:
            with writer.video(f'v{size}', size=size, flow={'method': 'known', 'clip': 20.0}) as video:
                for frame in range(20):
                    y, x = np.mgrid[:size, :size] / size
                    waves = np.stack([np.sin(rng.uniform(3, 12) * x + rng.uniform(3, 12) * y) for _ in range(5)], -1)
                    mask = np.hypot(x - 0.5, y - 0.4) < 0.3
                    rgb = (127 + 100 * waves[..., :3]).astype(np.uint8)
                    video.add(frame, (0, 0, size), rgb, (15 * waves[..., 3:]).astype(np.float32), mask)
            feats = rng.normal(0, 0.3, (20, 2, 26)).astype(np.float32)
            sequence = FeatureSequence(np.arange(20), feats, np.ones(20, np.float32))
            sequence.save(corpus.teacher_dir('joints') / f'v{size}.npz')
    return corpus


@pytest.fixture(scope='module', params=[(128,), (96, 64)], ids=['one size', 'two sizes'])
def corpus(tmp_path_factory, request):
    return make_corpus(tmp_path_factory.mktemp('device') / 'corpus', request.param)


def batch_of(corpus, pipeline, handover, draws=range(24)):
    dataset = CropDataset(corpus.root, 'joints', pipeline, subset='all', handover=handover)
    return default_collate([dataset[7 * draw % len(dataset), draw] for draw in draws])


@pytest.mark.parametrize('size', [64, 96, 128])
@pytest.mark.parametrize('name', list(pipelines(64)))
def test_samples_equal_those_of_the_transforms(corpus, name, size):
    """The same view, target and scale of flow of every draw; pixels within rounding."""
    pipeline = pipelines(size)[name]
    if name == 'no window' and len(list(corpus.teacher_dir('joints').iterdir())) > 1:
        pytest.skip('crops of several sizes need a window')
    preprocessor = CropPreprocessor(mean=(0, 0, 0), std=(1, 1, 1), flow_std=1.0)
    outs = [preprocessor(batch_of(corpus, pipeline, handover)) for handover in ('augmented', 'decoded', 'encoded')]
    expected = outs[0]
    for out in outs[1:]:
        assert out['data_samples'].keys() == expected['data_samples'].keys()
        for key, value in expected['data_samples'].items():
            torch.testing.assert_close(out['data_samples'][key], value, rtol=0, atol=0, msg=key)
        scale = expected['data_samples'].get('flow_scale', torch.ones(1, 2)).abs()[:, :, None, None]
        difference = (out['inputs'] - expected['inputs']).abs()
        difference[:, 3:] /= scale[:, : difference.shape[1] - 3]
        print(name, size, difference.amax(dim=(0, 2, 3)), difference.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(outs[1]['inputs'], outs[2]['inputs'], rtol=0, atol=0)
