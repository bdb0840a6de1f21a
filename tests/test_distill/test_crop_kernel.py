"""The kernel of the loader equals bilinear interpolation, and the transforms one after the other."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vpd_mm.distill import (
    BackgroundNoise,
    ChiralFlip,
    CropColorJitter,
    CropRotation,
    LoadCrop,
    LoadFlow,
    PackCropInputs,
    ResizedCrop,
    StackFlow,
)
from vpd_mm.distill.crop_kernel import COLOR, NOISE, WINDOW, augment_crop
from vpd_mm.distill.drawn_transforms import fused

LOAD, PACK = [LoadCrop(), LoadFlow()], [StackFlow(), PackCropInputs()]
WINDOWS, FLIP = ResizedCrop(30), ChiralFlip()


def run(rgb, flow, steps, window, size, mirrored=False, matrix=None, sheet=None, athlete=None):
    out = np.empty((3 + 2 * bool(len(flow)), size, size), np.uint8)
    matrix = np.zeros((3, 4)) if matrix is None else matrix
    sheet = np.zeros((3, 0, 0), np.int16) if sheet is None else sheet
    athlete = np.zeros((0, 0), bool) if athlete is None else athlete
    augment_crop(rgb, flow, bytes(steps), matrix, sheet, (1, 2), athlete, window, mirrored, out)
    return out


@pytest.fixture(scope='module')
def crop():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (40, 40, 3), np.uint8), rng.integers(0, 256, (40, 2, 40), np.uint8)


@pytest.mark.parametrize(
    ('window', 'size'),
    [
        ((0, 0, 40, 40), 40),
        ((3, 5, 31, 34), 40),
        ((3, 6, 37, 34), 22),
        ((9, 0, 31, 40), 61),
        ((39, 39, 1, 1), 8),
        ((0, 38, 2, 2), 9),
    ],
)
@pytest.mark.parametrize('mirrored', [False, True])
def test_a_window_is_interpolated_and_rounded_once(crop, window, size, mirrored):
    """Noise, the worst case: weights have 8 bits, which is up to 0.5 of 255 levels along rows and along columns."""
    left, top, w, h = window
    out = run(*crop, [WINDOW], window, size, mirrored)
    planes = np.concatenate([crop[0].transpose(2, 0, 1), crop[1].transpose(1, 0, 2)])
    part = torch.from_numpy(planes[:, top : top + h, left : left + w]).float()
    expected = F.interpolate(part[None], (size, size), mode='bilinear', align_corners=False)[0].numpy()
    difference = out - (expected[:, :, ::-1] if mirrored else expected)
    assert np.abs(difference).max() < 1.5
    assert np.abs(difference).mean() < 0.3
    assert abs(difference.mean()) < 0.05
    if (w, h) == (size, size):
        np.testing.assert_array_equal(out, planes[:, :, ::-1] if mirrored else planes)


def test_steps_are_done_in_their_order(crop):
    rgb, no_flow = crop[0] // 2 + 60, np.zeros((0, 2, 0), np.uint8)
    whole, gain = (0, 0, 40, 40), np.hstack([np.diag([1.5, 1.0, 0.5]), np.full((3, 1), -0.1)])
    sheet = np.random.default_rng(1).integers(-40, 40, (3, 60, 60), np.int16)
    athlete = np.zeros((40, 40), bool)
    athlete[10:20, 5:30] = True
    noise = sheet[:, 1:41, 2:42] * ~athlete

    def colored(planes):
        return np.clip(np.floor(np.einsum('ij,jhw->ihw', gain[:, :3], planes) - 0.1 * planes[1].mean() + 0.5), 0, 255)

    planes = rgb.transpose(2, 0, 1).astype(float)
    expected = {
        (COLOR, WINDOW): colored(planes),
        (WINDOW, COLOR): colored(planes),
        (NOISE, WINDOW): np.clip(planes + noise, 0, 255),
        (COLOR, NOISE, WINDOW): np.clip(colored(planes) + noise, 0, 255),
        (NOISE, COLOR, WINDOW): colored(np.clip(planes + noise, 0, 255)),
    }
    for steps, values in expected.items():
        out = run(rgb, no_flow, steps, whole, 40, matrix=gain, sheet=sheet, athlete=athlete)
        assert np.abs(out - values).max() <= 1, steps  # float32
        assert (out != values).mean() < 0.01, steps
    assert np.abs(expected[COLOR, NOISE, WINDOW] - expected[NOISE, COLOR, WINDOW]).max() > 10


class OneCrop:
    """Stub of a CropStore with one crop."""

    def __init__(self, size):
        y, x = np.mgrid[:size, :size] / size
        waves = np.stack([np.sin(a * x + b * y) for a, b in ((9, 5), (3, 11), (7, 7), (6, -8), (-4, 9))], -1)
        self.square, self.codes = (size, size), (128 + 110 * waves).astype(np.uint8)

    def settings(self, video):
        return self

    def fetch(self, video, frame):
        pass

    def crop(self, video, frame, fetched=False):
        return self.codes[..., :3].copy()

    def flow_step(self, video):
        return 20 / 127

    def flow_code(self, video, frame):
        return self.codes[..., 3:].transpose(0, 2, 1).copy().transpose(0, 2, 1), self.flow_step(video)

    def mask(self, video, frame):
        y, x = np.mgrid[: self.square[0], : self.square[1]] / self.square[0]
        return np.hypot(x - 0.5, y - 0.4) < 0.3


PIPELINES = {
    'paper': [*LOAD, CropColorJitter(), BackgroundNoise(), WINDOWS, FLIP, *PACK],
    'small': [*LOAD, WINDOWS, CropColorJitter(), FLIP, *PACK],
    'flip first': [*LOAD, FLIP, CropColorJitter(), WINDOWS, *PACK],
    'no window': [*LOAD, CropColorJitter(), FLIP, *PACK],
    'no flow': [LOAD[0], BackgroundNoise(), WINDOWS, FLIP, StackFlow(with_flow=False), PACK[1]],
}


@pytest.mark.parametrize('name', PIPELINES)
def test_samples_equal_those_of_the_transforms_one_by_one(name):
    """Views and targets are equal; OpenCV rounds interpolated pixels down by 1/8 of a level on average."""
    store, at_once = OneCrop(44), fused(PIPELINES[name])
    assert len(at_once) == len(PIPELINES[name])
    for draw in range(20):
        outs = []
        for transforms in (PIPELINES[name], at_once):
            results = {'store': store, 'video': 'v', 'frame': 3, 'index': 0, 'rng': np.random.default_rng(draw)}
            results |= {'targets': np.arange(8, dtype=np.float32).reshape(2, 4), 'score': 0.7}
            for transform in transforms:
                results = transform(results)
            outs.append(results)
        one_by_one, kernel = outs
        assert kernel['data_samples'].keys() == one_by_one['data_samples'].keys()
        for key, value in one_by_one['data_samples'].items():
            np.testing.assert_allclose(kernel['data_samples'][key], value, rtol=1e-6)
        difference = kernel['inputs'].int() - one_by_one['inputs'].int()
        assert difference.abs().max() <= 2  # two or three roundings, multiplied by up to 1.44
        assert difference.abs().float().mean() < 0.4


def test_other_pipelines_stay_as_they_are():
    for transforms in (
        [],
        LOAD,
        [*LOAD, CropRotation(), WINDOWS, *PACK],
        [*LOAD, FLIP, FLIP, *PACK],
        [*LOAD, StackFlow(), WINDOWS, PackCropInputs()],
    ):
        assert fused(transforms) == transforms
