import numpy as np
import pytest
import torch
from mmengine.config import Config

from vpd_mm.errors import UserError
from vpd_mm.structures import PoseSequence
from vpd_mm.teacher import VIPEEncoder, VipeFeature, load_encoder, normalize_joints, pose_inputs
from vpd_mm.teacher.joint_feature import VPD_JOINTS


@pytest.fixture(scope='module')
def encoder():
    torch.manual_seed(0)
    return VIPEEncoder(dims=8, hidden_dims=16).eval()


def sequence(n=6, seed=0):
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 200, (n, 17, 2)).astype(np.float32)
    return PoseSequence(np.arange(n) * 2, keypoints, rng.uniform(0.2, 1, (n, 17)).astype(np.float32))


def test_inputs_by_value():
    points, scores = np.random.default_rng(0).uniform(0, 100, (2, 13, 2)), np.full((2, 13), 0.9)
    inputs = pose_inputs(points, scores)
    np.testing.assert_allclose(inputs[..., :2], normalize_joints(points), atol=1e-6)
    np.testing.assert_allclose(inputs[..., 2], 0.4, atol=1e-6)


@pytest.mark.parametrize(
    ('points', 'scores', 'message'),
    [
        (np.zeros((2, 17, 2)), np.ones((2, 17)), r'must be \(N, 13, 2\) with scores \(N, 13\), found \(2, 17, 2\)'),
        (np.zeros((2, 13, 2)), np.ones((2, 12)), r'found \(2, 13, 2\) and \(2, 12\)'),
        (np.array([np.zeros((13, 2)), np.full((13, 2), np.nan)]), np.ones((2, 13)), 'pose 1 holds NaN'),
        (np.zeros((2, 13, 2)), np.array([np.ones(13), np.zeros(13)]), 'pose 1: all joints are hidden'),
    ],
)
def test_invalid_poses_are_refused(points, scores, message):
    with pytest.raises(UserError, match=message):
        pose_inputs(points, scores)


def test_views_are_embeddings_of_the_pose_and_its_mirror_image(encoder):
    poses = sequence()
    features = VipeFeature(encoder)(poses)
    assert features.feats.shape == (6, 2, 8)
    np.testing.assert_array_equal(features.frame_inds, poses.frame_inds)
    np.testing.assert_allclose(features.scores, poses.scores[:, VPD_JOINTS].mean(1), atol=1e-6)
    inputs = pose_inputs(poses.keypoints[:, VPD_JOINTS], poses.scores[:, VPD_JOINTS])
    with torch.no_grad():
        np.testing.assert_allclose(features.feats[:, 0], encoder(torch.from_numpy(inputs)), atol=1e-5)
    swapped = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    keypoints = (poses.keypoints[:, swapped] * [-1, 1] + [199, 0]).astype(np.float32)
    again = VipeFeature(encoder)(PoseSequence(poses.frame_inds, keypoints, poses.scores[:, swapped]))
    np.testing.assert_allclose(again.feats[:, 0], features.feats[:, 1], atol=1e-4)
    np.testing.assert_allclose(again.feats[:, 1], features.feats[:, 0], atol=1e-4)
    assert abs(features.feats[:, 0] - features.feats[:, 1]).max() > 0.01


def test_invert_appends_the_embedding_of_the_inverted_pose(encoder):
    poses = sequence()
    plain = VipeFeature(encoder)(poses)
    inverted = VipeFeature(encoder, invert=True)
    features = inverted(poses)
    assert inverted.dims == 16
    assert features.feats.shape == (6, 2, 16)
    np.testing.assert_allclose(features.feats[..., :8], plain.feats, atol=1e-5)
    turned = PoseSequence(poses.frame_inds, poses.keypoints * np.float32([1, -1]), poses.scores)
    np.testing.assert_allclose(features.feats[..., 8:], VipeFeature(encoder)(turned).feats, atol=1e-4)


def test_hidden_frames_are_left_out_and_hidden_files_refused(encoder):
    poses = sequence()
    poses.scores[2] = 0
    features = VipeFeature(encoder)(poses)
    np.testing.assert_array_equal(features.frame_inds, [0, 2, 6, 8, 10])
    poses.scores[:] = 0
    with pytest.raises(UserError, match='all joints of all 6 frames are hidden'):
        VipeFeature(encoder)(poses)


def test_hidden_joint_is_interpolated_in_time(encoder):
    poses = sequence()
    poses.keypoints[3, 9] = 1e4
    poses.scores[3, 9] = 0
    placed = VipeFeature(encoder)(poses).feats[3]
    poses.keypoints[3, 9] = -1e4
    np.testing.assert_array_equal(VipeFeature(encoder)(poses).feats[3], placed)


def config(**encoder):
    skeleton = dict(num_joints=1, vpd_joints=[0] * 13, tree=[('a', 0, None), ('b', 0, 'a')])
    model = dict(type='VIPE', encoder=dict(type='VIPEEncoder', **encoder), skeletons=dict(one=skeleton))
    return Config(dict(default_scope='vpd_mm', model=model))


def test_encoder_loads_from_training_and_packed_checkpoints(tmp_path, encoder):
    state = {f'encoder.{name}': value for name, value in encoder.state_dict().items()}
    torch.save({'state_dict': {**state, 'decoders.0.0.bias': torch.zeros(3)}}, tmp_path / 'full.pth')
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    torch.save({'state_dict': halves}, tmp_path / 'packed.pth')
    cfg, inputs = config(dims=8, hidden_dims=16), torch.randn(3, 13, 3)
    torch.testing.assert_close(load_encoder(cfg, tmp_path / 'full.pth')(inputs), encoder(inputs))
    packed = load_encoder(cfg, tmp_path / 'packed.pth')
    assert packed.enter.weight.dtype == torch.float32
    torch.testing.assert_close(packed(inputs), encoder(inputs), atol=1e-2, rtol=1e-2)
    with pytest.raises(UserError, match=r'does not fit .*: .* of another shape'):
        load_encoder(config(dims=8, hidden_dims=32), tmp_path / 'full.pth')
    with pytest.raises(UserError, match=r'none\.pth: no such file'):
        load_encoder(cfg, tmp_path / 'none.pth')
    other = Config(dict(default_scope='vpd_mm', model=dict(type='MotionDecoder', dims=2)))
    with pytest.raises(UserError, match='its model is MotionDecoder, needed is VIPE'):
        load_encoder(other, tmp_path / 'full.pth')
