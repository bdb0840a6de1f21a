"""FlowEstimator: signs, units, clip, median, RAFT's weights."""

import cv2
import numpy as np
import pytest

from vpd_mm.athlete import FlowEstimator
from vpd_mm.errors import UserError


def _texture(size=128):
    noise = np.random.default_rng(0).integers(0, 255, (size // 4, size // 4, 3), dtype=np.uint8)
    return cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)


def _shifted(image, dx, dy):
    return cv2.warpAffine(
        image, np.float32([[1, 0, dx], [0, 1, dy]]), image.shape[1::-1], borderMode=cv2.BORDER_REFLECT
    )


@pytest.mark.parametrize('method', ['dis', 'farneback'])
@pytest.mark.parametrize(('dx', 'dy'), [(3, 0), (-3, 0), (0, 2), (0, -2), (4, 3)])
def test_u_is_positive_to_the_right_and_v_downwards(method, dx, dy):
    image = _texture()
    flow = FlowEstimator(method)(image, _shifted(image, dx, dy))
    assert flow.dtype == np.float32
    inside = flow[20:-20, 20:-20]
    assert inside.mean(axis=(0, 1)) == pytest.approx((dx, dy), abs=0.3)


def test_flow_is_clipped():
    image = _texture()
    estimate = FlowEstimator()
    estimate.clip = 2
    flow = estimate(image, _shifted(image, 5, -5))
    assert flow.min() == pytest.approx(-2)
    assert flow.max() == pytest.approx(2)


def test_subtract_median_removes_camera_motion():
    image = _texture()
    moved = _shifted(image, 4, 0)
    moved[50:70, 50:70] = _shifted(image, 4, 6)[50:70, 50:70]
    flow = FlowEstimator(subtract_median=True)(image, moved)
    assert np.median(flow, axis=(0, 1)) == pytest.approx((0, 0), abs=1e-6)
    assert flow[54:60, 54:66, 1].mean() > 3
    settings = FlowEstimator(subtract_median=True).settings
    assert settings == {'method': 'dis', 'clip': 20.0, 'subtract_median': True}


def test_flow_without_a_previous_frame_is_zero_and_of_method_none_is_none():
    np.testing.assert_array_equal(FlowEstimator()(None, _texture()), np.zeros((128, 128, 2)))
    estimator = FlowEstimator('none')
    assert estimator.settings is None
    assert estimator(_texture(), _texture()) is None


def test_invalid_options_are_refused():
    with pytest.raises(UserError, match='must be one of'):
        FlowEstimator('tvl1')
    with pytest.raises(UserError, match='goes with raft'):
        FlowEstimator('dis', checkpoint='raft.pth')


def test_raft_from_a_checkpoint(tmp_path):
    torch = pytest.importorskip('torch')
    models = pytest.importorskip('torchvision.models.optical_flow')
    torch.manual_seed(0)
    torch.save(models.raft_small().state_dict(), tmp_path / 'raft.pth')
    estimator = FlowEstimator('raft', checkpoint=tmp_path / 'raft.pth', device='cpu')
    image = _texture()
    flow = estimator(image, _shifted(image, 2, 0))
    assert flow.shape == (128, 128, 2)
    assert np.isfinite(flow).all()
    assert np.abs(flow).max() <= 20
    with pytest.raises(UserError, match='multiple of 8'):
        estimator(image[:100, :100], image[:100, :100])
    torch.save({'weight': torch.zeros(1)}, tmp_path / 'other.pth')
    (tmp_path / 'text.pth').write_text('text')
    for name, message in (
        ('other', r'other\.pth: not a state_dict of torchvision'),
        ('text', r'text\.pth: it is damaged|text\.pth was refused'),
        ('gone', r'gone\.pth: no such file'),
    ):
        with pytest.raises(UserError, match=message):
            FlowEstimator('raft', checkpoint=tmp_path / f'{name}.pth')


def test_raft_download_failure_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip('torchvision.models.optical_flow')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('https_proxy', 'http://127.0.0.1:9')
    with pytest.raises(UserError, match=r'cannot download https://.*refused.*--flow-checkpoint'):
        FlowEstimator('raft')
