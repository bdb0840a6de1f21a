import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from vpd_mm.errors import UserError
from vpd_mm.teacher import VIPE, flip_joints
from vpd_mm.teacher.vipe_model import different_poses

SKELETONS = Config.fromfile(Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'skeletons.py')


def model(names=('coco17',), **kwargs):
    torch.manual_seed(0)
    encoder = dict(type='vpd_mm.VIPEEncoder', dims=4, hidden_dims=16)
    return VIPE(encoder, {name: SKELETONS[name] for name in names}, decoder_dims=8, **kwargs)


def bones(*degrees):
    """Poses of two bones; the second is rotated by the given degrees."""
    turned = [(math.cos(math.radians(d)), math.sin(math.radians(d)), 0) for d in degrees]
    return torch.tensor([[(0.0, 0, 1), t] for t in turned])


def samples(n, vipe, skeleton=0):
    return {
        'bones': bones(*np.linspace(0, 90, n)),
        'target': torch.randn(n, max(vipe.num_bones), 7),
        'skeleton': torch.full((n,), skeleton) if isinstance(skeleton, int) else torch.tensor(skeleton),
    }


def chain(points):
    return dict(
        num_joints=1, vpd_joints=[0] * 13, tree=[(f'j{i}', 0, f'j{i - 1}' if i else None) for i in range(points)]
    )


def test_embedding_and_loss_equal_those_of_the_published_code():
    """Weights, poses and targets of two skeletons from one generator; numbers by jhong93/vpd, models/keypoint.py."""
    rng = np.random.default_rng(0)
    encoder = dict(type='vpd_mm.VIPEEncoder', dims=2, hidden_dims=5)
    vipe = VIPE(encoder, dict(a=chain(3), b=chain(4)), decoder_dims=3).eval()
    for name, value in vipe.state_dict().items():
        if 'num_batches' not in name:
            drawn = rng.uniform(0.2, 1, value.shape) if 'running_var' in name else rng.normal(size=value.shape) * 0.5
            value.copy_(torch.from_numpy(drawn))
    inputs = rng.normal(size=(4, 3, 13, 3)).astype(np.float32)
    inputs[:, 2] = inputs[:, 0] + 0.1 * inputs[:, 2]
    target = torch.from_numpy(rng.normal(size=(4, 3, 7))).float()
    different, skeleton = torch.tensor([True, False, True, True]), torch.tensor([0, 0, 1, 1])
    batch = {'target': target, 'skeleton': skeleton, 'different': different}
    inputs = torch.from_numpy(inputs)
    wanted = [[-0.04491, 0.45521], [-1.49207, 2.05271], [1.72135, -0.15408], [1.80347, -1.53066]]
    torch.testing.assert_close(vipe.encoder(inputs[:, 0]), torch.tensor(wanted), atol=1e-5, rtol=0)
    losses = vipe(inputs, batch, mode='loss')
    assert losses['loss_pull'].item() == pytest.approx(2.854431, rel=1e-5)
    assert losses['loss_push'].item() == pytest.approx(3.525206 - 2.854431, rel=1e-5)
    assert sum(losses.values()).item() == pytest.approx(51.342369, rel=1e-5)
    vipe.decode_weight = 0.5
    weighted = vipe(inputs, batch, mode='loss')['loss_decode']
    assert weighted.item() == pytest.approx((51.342369 - 3.525206) / 2, rel=1e-5)


def test_poses_differ_if_a_bone_exceeds_the_angle():
    wanted = torch.tensor([[False, False, True], [False, False, False], [True, False, False]])
    assert torch.equal(different_poses(bones(0, 44, 46)), wanted)
    missing = bones(0, 90)
    missing[0, 1] = 0  # a bone of length 0 is ignored
    assert not different_poses(missing).any()


def test_without_a_negative_the_nearest_different_pose_of_the_batch_is_pushed():
    vipe = model()
    embedding = torch.zeros(3, 2, 4)
    embedding[:, 0, 0], embedding[:, 1, 0] = torch.tensor([0.0, 0.7, 9.0]), torch.tensor([0.1, 0.5, 0.2])
    batch = {**samples(3, vipe), 'bones': bones(0, 30, 60)}
    # pose 0 is 0.2 from pose 2 (0.1 from itself does not count), pose 2 9 from pose 0, pose 1 has no different pose
    assert vipe.loss(embedding, batch)['loss_push'].item() == pytest.approx(0.8 / 3, abs=1e-5)
    vipe.margin = 0.3
    assert vipe.loss(embedding, batch)['loss_push'].item() == pytest.approx(0.1 / 3, abs=1e-5)


@pytest.mark.parametrize('negatives', [False, True])
def test_every_parameter_gets_a_gradient_even_of_an_absent_skeleton(negatives):
    vipe = model(('coco17', 'h36m')).train()
    batch = samples(8, vipe) | ({'different': torch.ones(8, dtype=bool)} if negatives else {})
    losses = vipe(torch.randn(8, 3 if negatives else 2, 13, 3), batch, mode='loss')
    assert set(losses) == {'loss_pull', 'loss_push', 'loss_decode'}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in vipe.parameters())
    assert all(p.grad.abs().sum() > 0 for p in vipe.encoder.parameters())


def test_training_pulls_views_together_and_decodes():
    vipe = model(decode_weight=1 / 190).train()
    inputs, batch = torch.randn(16, 2, 13, 3), samples(16, vipe)
    optimizer = torch.optim.AdamW(vipe.parameters(), 1e-2)
    first = None
    for _ in range(40):
        losses = vipe(inputs, batch, mode='loss')
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        first = first or {name: value.item() for name, value in losses.items()}
    assert total.item() < 0.6 * sum(first.values())


def test_mirrored_input_equals_the_flipped_2d_pose():
    inputs = torch.randn(3, 2, 13, 3)
    np.testing.assert_array_equal(flip_joints(inputs), flip_joints(inputs.numpy()))
    assert torch.equal(flip_joints(flip_joints(inputs)), inputs)
    vipe = model().eval()
    (result,) = vipe(inputs, {'skeleton': torch.zeros(3)}, mode='predict')
    torch.testing.assert_close(result['mirrored'], vipe(flip_joints(inputs)))
    torch.testing.assert_close(result['embedding'], vipe(inputs))


def test_invalid_arguments_are_refused():
    with pytest.raises(UserError, match='two views a pose'):
        model()(torch.randn(2, 4, 13, 3), {}, mode='loss')
    with pytest.raises(ValueError, match='mode must be'):
        model().eval()(torch.randn(2, 13, 3), mode='other')


def test_published_training_is_a_config():
    """train_vipe_model.py and vipe_dataset/keypoint.py of jhong93/vpd; d = 64 from the paper."""
    cfg = Config.fromfile(SKELETONS.filename.replace('_base_/models/skeletons', 'teacher/vipe_fc1024_500e_mocap'))
    data = cfg.train_dataloader
    assert (data.batch_size, data.sampler.num_samples, cfg.train_cfg.max_epochs) == (100, 50000, 500)
    assert (cfg.optim_wrapper.optimizer.type, cfg.optim_wrapper.optimizer.lr) == ('AdamW', 1e-4)
    assert 'param_scheduler' not in cfg
    assert [(entry.skeleton, entry.draws) for entry in data.dataset.sources] == [
        ('h36m', 20000), ('smplh', 20000), ('people3d', 5000), ('nba2k', 5000),
    ]  # fmt: skip
    assert (data.dataset.num_views, data.dataset.negatives, data.dataset.projected) == (2, True, 0.5)
    assert 'twins' not in data.dataset
    vipe = VIPE(
        **{key: value for key, value in cfg.model.items() if key != 'type'}
        | {'encoder': dict(cfg.model.encoder, type='vpd_mm.VIPEEncoder')}
    )
    assert (vipe.margin, vipe.decode_weight, vipe.num_bones) == (1, 1, [16, 21, 24, 24])
    assert (vipe.encoder.dims, vipe.encoder.plain, vipe.encoder.bones) == (64, False, False)
    assert (vipe.encoder.enter.out_features, vipe.encoder.blocks[0][3].p) == (1024, 0.2)
    assert [layer.out_features for layer in vipe.decoder if hasattr(layer, 'out_features')] == [512, 512]
