import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from vpd_mm.athlete.flow import FlowEstimator
from vpd_mm.corpus import SPORTS
from vpd_mm.distill import (
    BackgroundNoise,
    ChiralFlip,
    CropColorJitter,
    CropPreprocessor,
    PackCropInputs,
    ResizedCrop,
    StackFlow,
)
from vpd_mm.errors import UserError


def sample(seed=0, size=64, **extra):
    rng = np.random.default_rng(seed)
    img = cv2.GaussianBlur(rng.integers(0, 256, (size, size, 3), dtype=np.uint8), (5, 5), 0)
    flow = rng.normal(0, 3, (size, size, 2)).astype(np.float32)
    targets = np.stack([np.arange(4), -np.arange(4)]).astype(np.float32)
    return {'img': img, 'flow': flow, 'targets': targets, 'rng': rng, 'index': 5, 'score': 0.9, 'video': 'v', **extra}


def test_double_flip_is_identity():
    before = sample()
    after = ChiralFlip(1)(ChiralFlip(1)(dict(before)))
    for key in ('img', 'flow', 'targets'):
        np.testing.assert_array_equal(after[key], before[key])
    assert after['view'] == 0


def test_flip_mirrors_the_image_negates_u_and_selects_the_flipped_target():
    before = sample()
    after = ChiralFlip(1)(dict(before))
    np.testing.assert_array_equal(after['img'][:, 0], before['img'][:, -1])
    np.testing.assert_array_equal(after['flow'][:, 0, 0], -before['flow'][:, -1, 0])
    np.testing.assert_array_equal(after['flow'][:, 0, 1], before['flow'][:, -1, 1])
    packed = PackCropInputs()(StackFlow()(after))['data_samples']
    np.testing.assert_array_equal(packed['target'], before['targets'][1])


def test_flow_of_a_mirrored_video_equals_the_mirrored_flow():
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8), (9, 9), 0)
    before, after = texture[10:74, 12:76], texture[8:72, 8:72]  # the image moves right by 4, down by 2
    estimate = FlowEstimator('dis')
    flow = estimate(np.ascontiguousarray(before), np.ascontiguousarray(after))
    assert np.median(flow[..., 0]) == pytest.approx(4, abs=0.3)
    assert np.median(flow[..., 1]) == pytest.approx(2, abs=0.3)
    mirrored = estimate(np.ascontiguousarray(before[:, ::-1]), np.ascontiguousarray(after[:, ::-1]))
    flipped = ChiralFlip(1)({'img': before, 'flow': flow, 'rng': None})['flow']
    assert np.abs(np.median(flipped - mirrored, axis=(0, 1))).max() < 0.1
    assert np.median(np.abs(flipped - mirrored)) < 0.2


def test_resized_crop_scales_the_flow_of_a_known_translation():
    rng = np.random.default_rng(2)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8), (15, 15), 0)
    shift = (3, -2)
    before, after = texture[20:148, 20:148], texture[20 - shift[1] :, 20 - shift[0] :][:128, :128]
    flow = np.tile(np.array(shift, np.float32), (128, 128, 1))
    crop = ResizedCrop(64, scale=(0.4, 0.8))
    now = crop({'img': after, 'flow': flow, 'rng': np.random.default_rng(3)})
    then = crop({'img': before, 'rng': np.random.default_rng(3)})
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1).astype(np.float32)
    # Looking up frame t-1 where the flow says that every pixel of frame t came from gives frame t.
    source = grid - now['flow']
    rebuilt = cv2.remap(then['img'], source[..., 0], source[..., 1], cv2.INTER_LINEAR)
    inner = slice(8, -8), slice(8, -8)
    right = np.abs(rebuilt[inner].astype(int) - now['img'][inner]).mean()
    still = np.abs(then['img'][inner].astype(int) - now['img'][inner]).mean()
    assert right < 0.25 * still


def test_windows_are_inside_with_area_and_ratio_in_range():
    crop = ResizedCrop(32, scale=(0.5, 0.7), ratio=(0.9, 1.1))
    rng = np.random.default_rng(0)
    for _ in range(200):
        left, top, w, h = crop.window(100, 100, rng)
        assert 0 <= left <= 100 - w
        assert 0 <= top <= 100 - h
        assert 0.47 < w * h / 1e4 < 0.73
        assert 0.86 < w / h < 1.16


def test_resizing_to_half_halves_the_flow():
    after = ResizedCrop(32, scale=(1.0, 1.0))(sample(flow=np.full((64, 64, 2), 6, np.float32)))
    assert after['img'].shape == (32, 32, 3)
    np.testing.assert_allclose(after['flow'], 3)


@pytest.mark.parametrize('flip', [0, 1])
def test_codes_of_flow_give_the_flow_in_px_on_the_device(flip):
    """Through window, flip and stacking; interpolated codes are rounded, by less than a step."""
    code = cv2.GaussianBlur(np.random.default_rng(4).integers(0, 256, (64, 64, 2), np.uint8), (9, 9), 0)
    code[:4, :4] = 0  # the lowest code has no opposite one
    step = 20 / 127
    coded = sample(flow=code, flow_scale=np.array((step, step), np.float32))
    exact = sample(flow=(code.astype(np.float32) - 128) * np.float32(step))
    pack, largest = PackCropInputs(), 0.0
    for scale in ((1.0, 1.0), (0.5, 0.9)):
        for size in (64, 32):
            batches = []
            for results in (coded, exact):
                results = dict(results, rng=np.random.default_rng(5))
                for transform in (ResizedCrop(size, scale), ChiralFlip(flip), StackFlow(), pack):
                    results = transform(results)
                batches.append(default_collate([results, results]))
            assert batches[0]['inputs'].dtype == torch.uint8
            ours, expected = (CropPreprocessor(flow_std=1.0)(batch)['inputs'] for batch in batches)
            torch.testing.assert_close(ours[:, :3], expected[:, :3], rtol=0, atol=0)
            worth = batches[0]['data_samples']['flow_scale'][0].abs().numpy()
            errors = (ours - expected)[0, 3:].numpy() / worth[:, None, None]  # float16 of flow in px: 0.01 at 20 px
            assert np.abs(errors).max() < 1
            # OpenCV interpolates uint8 in fixed point, which is 1/8 of a step off on average (0.02 px).
            assert np.abs(errors.mean(axis=(1, 2))).max() < 0.16
            largest = max(largest, np.abs(errors).max())
    assert largest > 0.3, 'codes are rounded where a window is resized'


def test_preprocessor_asks_for_the_scale_of_codes():
    with pytest.raises(UserError, match='need flow_scale'):
        CropPreprocessor()({'inputs': torch.zeros(1, 5, 4, 4, dtype=torch.uint8)})
    assert CropPreprocessor()({'inputs': torch.zeros(1, 3, 4, 4, dtype=torch.uint8)})['inputs'].shape == (1, 3, 4, 4)


class MaskStore:
    """Stub of a CropStore with one mask."""

    def __init__(self, mask):
        self.value, self.num_reads = mask, 0

    def mask(self, video, frame):
        self.num_reads += 1
        return self.value


@pytest.mark.parametrize(
    ('std', 'expected'),
    [
        (SPORTS['tennis7'].rgb['std'], (7.74, 6.91, 7.2)),
        (SPORTS['fsjump6'].rgb['std'], (12.21, 12.45, 11.65)),
        (SPORTS['fx35'].rgb['std'], (11.1, 10.74, 11.37)),
        (SPORTS['diving48'].rgb['std'], (9.3, 9.73, 10.99)),
    ],
)
def test_noise_is_on_the_background_only_as_strong_as_published(std, expected):
    """Grey levels that the published code added (to the athlete) in ten crops of each data set."""
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    before = sample(store=MaskStore(mask), frame=0, img=np.full((64, 64, 3), 128, np.uint8))
    after = BackgroundNoise(prob=1, std=std)(dict(before))['img']
    np.testing.assert_array_equal(after[mask], 128)
    np.testing.assert_allclose(after[~mask].astype(float).std(axis=0), expected, rtol=0.04)


@pytest.mark.parametrize('is_athlete', [True, False])
def test_noise_needs_a_mask_which_is_loaded_with_its_probability(is_athlete):
    before = sample(store=MaskStore(None), frame=0)
    np.testing.assert_array_equal(BackgroundNoise(prob=1)(dict(before))['img'], before['img'])
    store, noisy, noise = MaskStore(np.full((8, 8), is_athlete)), 0, BackgroundNoise(prob=0.5)
    for seed in range(200):
        before = sample(seed, size=8, store=store, frame=0)
        noisy += not np.array_equal(noise(dict(before))['img'], before['img'])
    assert 75 < store.num_reads < 125
    assert noisy == (0 if is_athlete else store.num_reads)


def test_jitter_keeps_flow_and_changes_brightness_within_the_range():
    img = np.full((16, 16, 3), 100, np.uint8)
    means = []
    for seed in range(100):
        before = sample(seed, img=img.copy())
        flow = before['flow'].copy()
        after = CropColorJitter(brightness=0.2, contrast=0, saturation=0, hue=0)(before)
        np.testing.assert_array_equal(after['flow'], flow)
        means.append(after['img'].mean())
    assert 79 <= min(means) < 84
    assert 116 < max(means) <= 121


def test_zero_jitter_is_identity():
    before = sample()
    after = CropColorJitter(0, 0, 0, 0)(dict(before))['img']
    assert np.abs(after.astype(int) - before['img']).max() <= 1  # fixed point


def test_jitter_equals_its_steps_one_after_the_other():
    ranges = (0.2, 0.2, 0.05, 0.05)
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
    img = np.random.default_rng(0).integers(70, 150, (16, 16, 3), dtype=np.uint8)  # far from saturating
    for seed in range(20):
        ours = CropColorJitter(*ranges)(sample(seed, img=img.copy()))['img']
        brightness, contrast, saturation, hue = sample(seed)['rng'].uniform(-1, 1, 4) * ranges
        rgb = img * (1 + brightness)
        grey = rgb[..., 1].mean()
        rgb = (rgb - grey) * (1 + contrast) + grey
        y, i, q = np.moveaxis(rgb @ to_yiq.T, -1, 0)
        chroma = (1 + saturation) * (i + 1j * q) * np.exp(-2j * np.pi * hue)
        expected = np.stack([y, chroma.real, chroma.imag], axis=-1) @ np.linalg.inv(to_yiq).T
        np.testing.assert_allclose(ours, expected, atol=1)


def test_hue_turns_red_towards_yellow_and_keeps_greys():
    class Most:
        def uniform(self, low, high, n):
            return np.full(n, high)

    red, grey = np.full((4, 4, 3), (200, 0, 0), np.uint8), np.full((4, 4, 3), 77, np.uint8)
    turned = CropColorJitter(0, 0, 0, 0.05)({'img': red, 'rng': Most()})['img'][0, 0]
    assert turned[1] > 20
    assert turned[2] == 0
    np.testing.assert_allclose(CropColorJitter(0, 0, 0.5, 0.25)({'img': grey, 'rng': Most()})['img'], 77, atol=1)


def test_stack_order_is_r_g_b_u_v():
    img = np.zeros((4, 4, 3), np.uint8)
    img[..., 0], img[..., 1], img[..., 2] = 10, 20, 30
    flow = np.full((4, 4, 2), (1.5, -2.5), np.float32)
    stacked = StackFlow()({'img': img, 'flow': flow})['inputs']
    assert stacked[:, 0, 0].tolist() == [10, 20, 30, 1.5, -2.5]
    assert StackFlow(with_flow=False)({'img': img})['inputs'].shape == (3, 4, 4)
    coded = {'img': img + np.float32(0.5), 'flow': np.full((4, 4, 2), (131, 123), np.uint8), 'index': 0}
    packed = PackCropInputs()(StackFlow()({**coded, 'flow_scale': np.full(2, 0.5, np.float32)}))
    # another transform made the image float
    assert packed['inputs'][:, 0, 0].tolist() == [10.5, 20.5, 30.5, 1.5, -2.5]
    assert 'flow_scale' not in packed['data_samples']


def test_teacher_without_a_flipped_view_is_refused():
    with pytest.raises(UserError, match='no flipped view'):
        ChiralFlip(1)(sample(targets=np.zeros((1, 4), np.float32)))
    with pytest.raises(UserError, match='ResizedCrop'):
        ResizedCrop(64, scale=(0.5, 1.5))
