"""Augmentation on the device has the numbers of the transforms, and their pixels within rounding."""

import sys
from enum import Enum
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from vpd_mm.corpus import Corpus, CropWriter
from vpd_mm.distill import (
    BackgroundNoise,
    ChiralFlip,
    CropColorJitter,
    CropDataset,
    CropPreprocessor,
    CropRotation,
    LoadCrop,
    LoadFlow,
    PackCropInputs,
    ResizedCrop,
    StackFlow,
)
from vpd_mm.distill.crop_dataset import HANDOVERS
from vpd_mm.distill.gpu_augmentation import _decode_nvjpeg, decode_crops
from vpd_mm.errors import UserError
from vpd_mm.structures import FeatureSequence

LOAD = [LoadCrop(), LoadFlow()]
PACK = [StackFlow(), PackCropInputs()]
#: R, G, B in 0..255, flow in px.
PX = CropPreprocessor(mean=(0, 0, 0), std=(1, 1, 1), flow_std=1.0)
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


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp('device') / 'corpus', (32, 48))


def batch_of(corpus, pipeline, handover, draws=range(0, 36, 3)):
    dataset = CropDataset(corpus.root, 'joints', pipeline, subset='all', handover=handover)
    return default_collate(dataset.__getitems__([(draw % len(dataset), draw) for draw in draws]))


@pytest.mark.parametrize(('name', 'size'), [('paper', 48), ('small', 64), ('small', 24), ('flip first', 32)])
def test_samples_equal_those_of_the_transforms(corpus, name, size):
    """The same view, target and scale of flow of every draw; pixels within rounding, which noise and colors repeat."""
    outs = {handover: PX(batch_of(corpus, pipelines(size)[name], handover)) for handover in HANDOVERS}
    expected = outs['augmented']
    assert expected['inputs'].shape == (12, 5, size, size)
    for handover in HANDOVERS[1:]:
        samples = outs[handover]['data_samples']
        assert samples.keys() == expected['data_samples'].keys()
        for key, value in expected['data_samples'].items():
            torch.testing.assert_close(samples[key], value, rtol=0, atol=0, msg=key)
        check_pixels(outs[handover], expected)
    torch.testing.assert_close(outs['decoded']['inputs'], outs['encoded']['inputs'], rtol=0, atol=0)


def check_pixels(out, expected):
    difference = out['inputs'] - expected['inputs']
    assert difference[:, :3].abs().max() < 2  # two or three roundings, multiplied by up to 1.44
    assert difference[:, :3].abs().mean() < 0.4
    if difference.shape[1] > 3:
        steps = difference[:, 3:] / expected['data_samples']['flow_scale'].abs()[:, :, None, None]
        assert steps.abs().max() < 1
        assert steps.abs().mean() < 0.3


@pytest.mark.parametrize('name', ['no flow', 'no window', 'test'])
def test_other_pipelines(corpus, name):
    one_size = range(12)  # frames of the first video, with the smaller crops
    outs = [PX(batch_of(corpus, pipelines(64)[name], handover, one_size)) for handover in ('augmented', 'encoded')]
    check_pixels(*outs[::-1])


def test_crops_without_flow_of_a_pipeline_with_flow(corpus):
    """The stream nomotion-noflow of the paper drops the flow on the device."""
    rgb = CropPreprocessor(mean=(0, 0, 0), std=(1, 1, 1), with_flow=False)
    outs = [rgb(batch_of(corpus, pipelines(64)['paper'], handover)) for handover in ('augmented', 'encoded')]
    assert outs[0]['inputs'].shape[1] == 3
    assert (outs[0]['inputs'] - outs[1]['inputs']).abs().max() < 2


def test_every_number_varies(corpus):
    """Half of the samples are mirrored, half have noise; windows and colors have the range of the paper."""
    steps = batch_of(corpus, pipelines(64)['paper'], 'encoded', range(200))['data_samples']['augmentation']
    assert list(steps) == ['color', 'noise', 'athlete', 'window']
    assert 70 < (steps['window'][:, 2] < 0).sum() < 130
    assert 70 < (steps['noise'][:, 2] > 0).sum() < 130
    stored = torch.where(steps['athlete'].all(dim=(1, 2)), 0, 1)
    assert stored.sum() == (steps['noise'][:, 2] > 0).sum()
    gain = steps['color'][:, :, :3].sum(dim=(1, 2)) / 3  # of grey
    assert 0.64 <= gain.min() < 0.75
    assert 1.3 < gain.max() <= 1.44


def test_draws_depend_on_their_number_only(corpus):
    dataset = CropDataset(corpus.root, 'joints', pipelines(64)['paper'], subset='all', handover='decoded')
    first, other, again = (dataset[3, draw] for draw in (8, 9, 8))
    steps = [sample['data_samples']['augmentation'] for sample in (first, other, again)]
    assert all(torch.equal(steps[0][name], steps[2][name]) for name in steps[0])
    assert not torch.equal(steps[0]['color'], steps[1]['color'])


def test_float32_under_autocast_and_the_batch_is_kept(corpus):
    """mmengine calls the preprocessor under autocast; bfloat16 has 256 levels of 0..1 only."""
    batch = batch_of(corpus, pipelines(64)['paper'], 'decoded')
    out = PX(batch)['inputs']
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(PX(batch)['inputs'], out, rtol=0, atol=0)
    assert 'augmentation' in batch['data_samples']


def test_other_transforms_are_refused(corpus):
    for transforms, message in (
        ([CropRotation()], 'CropRotation has no counterpart on the device'),
        ([ChiralFlip(), ChiralFlip()], 'ChiralFlip may be there once'),
    ):
        with pytest.raises(UserError, match=message):
            CropDataset(corpus.root, 'joints', transforms, handover='decoded')
    with pytest.raises(UserError, match='handover must be one of augmented, decoded, encoded'):
        CropDataset(corpus.root, 'joints', [], handover='jpeg')


def test_crops_of_several_sizes_need_a_window(corpus):
    with pytest.raises(UserError, match='crops of 32, 48 px; use ResizedCrop'):
        PX(batch_of(corpus, pipelines(64)['no window'], 'encoded', range(0, 40, 10)))


def test_nvjpeg_gets_bytes_and_gives_planes(corpus, monkeypatch):
    """The calls and the order of channels; an OpenCV decoder stands for nvJPEG, whose pixels a GPU has to show."""

    def decode_jpeg(images, mode, device):
        assert device == torch.device('cuda')
        flag = {'RGB': cv2.IMREAD_COLOR_RGB, 'GRAY': cv2.IMREAD_GRAYSCALE}[mode.name]
        decoded = [np.atleast_3d(cv2.imdecode(image.numpy(), flag)) for image in images]
        return [torch.from_numpy(image).permute(2, 0, 1) for image in decoded]

    torchvision_io = SimpleNamespace(ImageReadMode=Enum('ImageReadMode', ['RGB', 'GRAY']), decode_jpeg=decode_jpeg)
    monkeypatch.setitem(sys.modules, 'torchvision.io', torchvision_io)
    for draws in (range(0, 36, 3), range(12)):  # of both sizes, of one
        encoded = batch_of(corpus, pipelines(64)['paper'], 'encoded', draws)['inputs']
        crops = torch.cat(_decode_nvjpeg(encoded, torch.device('cuda')), dim=1)
        torch.testing.assert_close(crops, decode_crops(encoded, torch.device('cpu')), rtol=0, atol=0)

    def fail(*args):
        raise RuntimeError('not compiled with nvJPEG support')

    torchvision_io.decode_jpeg = fail
    with pytest.raises(UserError, match=r"not compiled with nvJPEG support\); handover='decoded'"):
        _decode_nvjpeg(encoded, torch.device('cuda'))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_gpu_equals_cpu(corpus):
    batch = batch_of(corpus, pipelines(64)['paper'], 'encoded')
    cpu = decode_crops(batch['inputs'], torch.device('cpu'))
    gpu = decode_crops(batch['inputs'], torch.device('cuda')).cpu()
    assert (cpu.int() - gpu).abs().max() <= 4
    decoded = batch_of(corpus, pipelines(64)['paper'], 'decoded')
    on_gpu = CropPreprocessor(mean=(0, 0, 0), std=(1, 1, 1), flow_std=1.0).cuda()(decoded)['inputs'].cpu()
    torch.testing.assert_close(on_gpu, PX(decoded)['inputs'], rtol=0, atol=0.01)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_decoding_keeps_memory_that_queued_kernels_read(corpus):
    encoded = batch_of(corpus, pipelines(64)['paper'], 'encoded')['inputs']
    big = torch.rand(8192, 8192, device='cuda')
    for _ in range(10):
        values = [torch.ones(96, 96, 3, dtype=torch.uint8, device='cuda') for _ in range(200)]
        torch.cuda.synchronize()
        for _ in range(5):
            big = big @ big / 8192
        sums = [value.sum() for value in values]
        del values
        decode_crops(encoded, torch.device('cuda', 0))
        assert {int(total) for total in sums} == {96 * 96 * 3}
