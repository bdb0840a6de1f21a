"""PoseTeacher with small mmpose models of random weights."""

import importlib

import numpy as np
import pytest
import torch

from vpd_mm.engine.model_zoo import find_model
from vpd_mm.errors import UserError
from vpd_mm.teacher.pose_teacher import PoseTeacher
from vpd_mm.visualize.skeleton import COCO17

SMALL = """
_base_ = 'mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py'
model = dict(
    backbone=dict(widen_factor=0.125, init_cfg=None),
    head=dict(in_channels=128, out_channels={num_joints}, gau_cfg=dict(hidden_dims=32, s=16)))
"""
HEATMAP = """
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py'
model = dict(
    backbone=dict(depth=18, base_channels=8, init_cfg=None),
    head=dict(in_channels=64, deconv_out_channels=(8, 8, 8)))
"""


def make_teacher(folder, text=SMALL, joints=COCO17.joints, **options):
    """A teacher with random weights, its config and checkpoint in ``folder``."""
    from mmengine.config import Config
    from mmengine.registry import DefaultScope

    models = importlib.import_module('mmpose.registry').MODELS
    config, checkpoint = folder / 'small.py', folder / 'small.pth'
    config.write_text(text.replace('{num_joints}', str(len(joints))))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = models.build(Config.fromfile(config).model)
    for module in model.modules():  # untrained, every frame would give nearly the same pose
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.normal_(module.bias, std=0.5)
    swapped = [name.replace('left', 'L').replace('right', 'left').replace('L', 'right') for name in joints]
    meta = {
        'dataset_name': 'test',
        'keypoint_id2name': dict(enumerate(joints)),
        'flip_indices': [joints.index(name) for name in swapped],
    }
    torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta}}, checkpoint)
    return PoseTeacher(str(config), str(checkpoint), device='cpu', **options)


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    return make_teacher(tmp_path_factory.mktemp('pose'), batch_size=2)


@pytest.fixture(scope='module')
def frames():
    rng = np.random.default_rng(0)
    return [np.kron(rng.integers(0, 255, (12, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8) for _ in range(5)]


BOXES = np.array([[60, 40, 160, 200], [-20, 10, 90, 230], [100, 50, 300, 120], [0, 0, 320, 240], [40, 40, 90, 90]], 'f')


@pytest.mark.parametrize('text', [SMALL, HEATMAP])
def test_poses_equal_mmpose(tmp_path, frames, text):
    """mmpose's own call, one BGR frame at a time, is the reference."""
    from mmpose.apis import inference_topdown

    teacher = make_teacher(tmp_path, text, batch_size=3)
    keypoints, scores = teacher.infer(frames, BOXES)

    assert (keypoints.shape, scores.shape) == ((5, 17, 2), (5, 17))
    assert keypoints.dtype == scores.dtype == np.float32
    for i, frame in enumerate(frames):
        (sample,) = inference_topdown(teacher.model, frame[..., ::-1], BOXES[i : i + 1])
        np.testing.assert_allclose(keypoints[i], sample.pred_instances.keypoints[0], atol=0.1)
        np.testing.assert_allclose(scores[i], np.clip(sample.pred_instances.keypoint_scores[0], 0, 1), atol=1e-3)
    assert np.abs(keypoints[0] - keypoints[1]).max() > 1


def test_result_depends_on_neither_batch_size_nor_previous_calls(teacher, frames):
    first, again = teacher.infer(frames, BOXES), teacher.infer(frames, BOXES)
    np.testing.assert_array_equal(first[0], again[0])
    one_by_one = [teacher.infer([frame], box[None]) for frame, box in zip(frames, BOXES, strict=True)]
    np.testing.assert_allclose(first[0], np.concatenate([k for k, _ in one_by_one]), atol=0.1)
    np.testing.assert_allclose(first[1], np.concatenate([s for _, s in one_by_one]), atol=1e-3)


@pytest.mark.parametrize('text', [SMALL, pytest.param(HEATMAP, marks=pytest.mark.full)])
def test_half_precision_gives_the_same_poses(tmp_path, frames, text):
    teacher = make_teacher(tmp_path, text)
    exact = teacher.infer(frames, BOXES)
    teacher.half = True
    half = teacher.infer(frames, BOXES)
    assert np.isfinite(half[0]).all()
    assert np.median(np.linalg.norm(half[0] - exact[0], axis=-1)) < 1
    np.testing.assert_allclose(half[1], exact[1], atol=0.02)
    assert not np.array_equal(half[1], exact[1])


def test_keypoints_move_with_the_athlete(teacher, frames):
    """The same image at another position in a larger frame shifts the keypoints."""
    canvas = np.zeros((500, 700, 3), np.uint8)
    canvas[150:390, 230:550] = frames[0]
    here = np.zeros_like(canvas)
    here[:240, :320] = frames[0]
    inner = np.array([[100, 60, 180, 180]], np.float32)
    keypoints, scores = teacher.infer([here, canvas], np.concatenate([inner, inner + [230, 150, 230, 150]]))
    np.testing.assert_allclose(keypoints[1] - keypoints[0], np.tile([230, 150], (17, 1)), atol=0.1)
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-3)


def test_peaks_are_decoded_to_frame_pixels(teacher, monkeypatch):
    """Peaks set by hand come out at the pixel of the full frame: (x, y), box to frame, 2 bins a px."""
    box = np.array([[100, 50, 175, 150]], np.float32)
    # The model input is 192x256 of the box padded by 1.25: 93.75 x 125 px, centred on (137.5, 100).
    x, y = torch.zeros(1, 17, 384), torch.zeros(1, 17, 512)
    x[..., 192 + 96], y[..., 256 - 128] = 2.0, 0.75
    monkeypatch.setattr(teacher.model.head, 'forward', lambda feats: (x, y))
    monkeypatch.setitem(teacher.model.test_cfg, 'flip_test', False)
    keypoints, scores = teacher.infer([np.zeros((240, 320, 3), np.uint8)], box)
    np.testing.assert_allclose(keypoints[0], np.tile([137.5 + 93.75 / 4, 100 - 125 / 4], (17, 1)), atol=0.5)
    np.testing.assert_allclose(scores, 0.75)
    y[..., 128] = x[..., 288] = 3.0  # a SimCC peak is no probability
    assert (teacher.infer([np.zeros((240, 320, 3), np.uint8)], box)[1] == 1).all()


def test_channel_order_of_the_network_input(teacher):
    """RTMPose's weights take RGB: a red frame is bright, dark, dark after normalisation."""
    seen = []
    hook = teacher.model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    red = np.zeros((256, 192, 3), np.uint8)
    red[..., 0] = 255
    teacher.infer([red], np.array([[40, 50, 150, 200]], np.float32))
    hook.remove()
    expected = [(255 - 123.675) / 58.395, (0 - 116.28) / 57.12, (0 - 103.53) / 57.375]
    np.testing.assert_allclose(seen[0][0, :, 128, 96].numpy(), expected, rtol=1e-5)


def test_frames_without_a_box_are_skipped(teacher, frames):
    boxes = BOXES.copy()
    boxes[1], boxes[2], boxes[4] = np.nan, [50, 50, 50, 90], [400, 10, 500, 90]
    keypoints, scores = teacher.infer(frames, boxes)
    assert (keypoints[[1, 2, 4]] == 0).all()
    assert (scores[[1, 2, 4]] == 0).all()
    expected = teacher.infer([frames[0], frames[3]], BOXES[[0, 3]])
    np.testing.assert_allclose(keypoints[[0, 3]], expected[0], atol=0.1)
    assert teacher.infer([], np.zeros((0, 4), np.float32))[0].shape == (0, 17, 2)
    with pytest.raises(UserError, match=r'5 frames need boxes of shape \(5, 4\), got \(4, 4\)'):
        teacher.infer(frames, BOXES[:4])


def test_other_joint_sets_are_mapped_by_name(tmp_path, frames):
    joints = tuple(name for name in reversed(COCO17.joints) if 'eye' not in name and 'ear' not in name)
    teacher = make_teacher(tmp_path, joints=(*joints, 'neck'))
    keypoints, scores = teacher.infer(frames[:1], BOXES[:1])
    teacher._source, teacher._absent = list(range(len(joints) + 1)), []
    own_keypoints, own_scores = teacher._infer_batch(frames[:1], BOXES[:1])
    for j, name in enumerate(COCO17.joints):
        at = joints.index(name if name in joints else 'nose')
        np.testing.assert_array_equal(keypoints[0, j], own_keypoints[0, at])
        assert scores[0, j] == (own_scores[0, at] if name in joints else 0)
    few = tuple(name for name in COCO17.joints if 'ankle' not in name)
    with pytest.raises(UserError, match='lacks joints that VPD needs: left_ankle, right_ankle'):
        make_teacher(tmp_path, joints=few)


def test_model_zoo_names_and_missing_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    cfg, weights = find_model('mmpose', 'rtmpose-m')
    assert (cfg.data_mode, cfg.codec.input_size) == ('topdown', (192, 256))
    assert weights == find_model('mmpose', 'human')[1]
    assert '/rtmpose-m_simcc-body7_' in weights
    assert '/rtmpose-l_simcc-body7_' in find_model('mmpose', 'rtmpose-l')[1]
    (tmp_path / 'own.py').write_text(SMALL.replace('{num_joints}', '17'))
    with pytest.raises(UserError, match=r'no checkpoint given.*pass one: mmpose:.*own.py:<checkpoint.pth>'):
        PoseTeacher(str(tmp_path / 'own.py'))
    unreachable = 'http://127.0.0.1:9/rtmpose.pth'
    with pytest.raises(UserError, match=r'cannot download .*refused.*pass it: mmpose:rtmpose-t:<checkpoint.pth>'):
        PoseTeacher('rtmpose-t', unreachable, device='cpu')
    with pytest.raises(UserError, match='not a top-down model'):
        make_teacher(tmp_path, SMALL + "data_mode = 'bottomup'\n")
