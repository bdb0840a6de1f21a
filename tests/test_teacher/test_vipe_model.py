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
    width = max(vipe.target_dims)
    return {
        'bones': bones(*np.linspace(0, 90, n)),
        'target': torch.randn(n, width),
        'skeleton': torch.full((n,), skeleton) if isinstance(skeleton, int) else torch.tensor(skeleton),
    }


def test_poses_differ_if_a_bone_exceeds_the_angle():
    wanted = torch.tensor([[False, False, True], [False, False, False], [True, False, False]])
    assert torch.equal(different_poses(bones(0, 44, 46)), wanted)
    missing = bones(0, 90)
    missing[0, 1] = 0  # a bone of length 0 is ignored
    assert not different_poses(missing).any()


def test_pull_is_the_mean_distance_of_the_views():
    vipe = model()
    embedding = torch.zeros(2, 2, 4)
    embedding[0, 1, 0], embedding[1, 1, :2] = 3.0, torch.tensor([3.0, 4.0])
    assert vipe.loss(embedding, samples(2, vipe))['loss_pull'].item() == pytest.approx(4, abs=1e-4)


def test_hard_push_takes_the_nearest_different_pose():
    seen, other = torch.tensor([[0.0], [0.7], [9.0]]), torch.tensor([[0.1], [0.5], [0.2]])
    different = torch.tensor([[False, True, True], [True, False, False], [False, False, False]])
    # pose 0 is 0.2 from pose 2 (0.1 from itself does not count), pose 1 0.6 from pose 0, pose 2 has none
    assert model(mining='hard').push_loss(seen, other, different).item() == pytest.approx((0.8 + 0.4) / 2)


def test_random_partner_is_different_and_the_margin_applies():
    seen, other = torch.tensor([[0.0], [5.0]]), torch.tensor([[0.0], [0.25]])
    different = torch.tensor([[False, True], [False, False]])
    assert model().push_loss(seen, other, different).item() == pytest.approx(0.75)
    assert model(margin=0.2).push_loss(seen, other, different).item() == 0


def test_each_skeleton_has_its_decoder():
    vipe = model(('coco17', 'h36m'))
    assert vipe.target_dims == [95, 109]
    embedding, batch = torch.randn(3, 2, 4), samples(3, vipe, [0, 1, 0])
    rows = {0: [0, 2], 1: [1]}
    by_hand = sum(
        ((vipe.decoders[k](embedding[r]) - batch['target'][r, None, : vipe.target_dims[k]]) ** 2).mean(-1).sum()
        for k, r in rows.items()
    )
    assert vipe.decode_loss(embedding, batch).item() == pytest.approx(by_hand.item() / 6, rel=1e-5)


@pytest.mark.parametrize('mining', ['random', 'hard'])
def test_every_parameter_gets_a_gradient_even_of_an_absent_skeleton(mining):
    vipe = model(('coco17', 'h36m'), mining=mining).train()
    losses = vipe(torch.randn(8, 2, 13, 3), samples(8, vipe), mode='loss')
    assert set(losses) == {'loss_pull', 'loss_push', 'loss_decode'}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in vipe.parameters())
    assert all(p.grad.abs().sum() > 0 for p in vipe.encoder.parameters())


def test_training_pulls_views_together_and_decodes():
    vipe = model().train()
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
        model()(torch.randn(2, 3, 13, 3), {}, mode='loss')
    with pytest.raises(UserError, match="mining must be 'random' or 'hard', found 'soft'"):
        model(mining='soft')
    with pytest.raises(ValueError, match='mode must be'):
        model().eval()(torch.randn(2, 13, 3), mode='other')
