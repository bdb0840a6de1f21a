"""Student, decoder, distiller, preprocessor."""

import numpy as np
import pytest
import torch

from vpd_mm.corpus import SPORTS
from vpd_mm.distill import CropPreprocessor, MotionDecoder, PoseDistiller, PoseStudent
from vpd_mm.distill.first_conv import first_conv, widen_kernel
from vpd_mm.distill.pose_distiller import mean_of_views, mirror_crops
from vpd_mm.errors import UserError
from vpd_mm.teacher.joint_feature import flip_joints

SMALL = {'type': 'vpd_mm.TorchvisionBackbone', 'name': 'resnet18'}


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ('dims', 'student', 'decoder'), [(26, 21304282, 26676), (64, 21323776, 41344), (128, 21356608, 66048)]
)
def test_parameter_counts_of_the_published_models(dims, student, decoder):
    assert count(PoseStudent(dims)) == student
    assert count(MotionDecoder(dims)) == decoder


def small_distiller(dims=4, motion=True, **kwargs):
    torch.manual_seed(0)
    decoder = dict(type='vpd_mm.MotionDecoder', dims=dims) if motion else None
    return PoseDistiller(dict(type='vpd_mm.PoseStudent', out_dims=dims, backbone=SMALL), decoder, **kwargs)


def test_loss_equals_the_formula():
    model = small_distiller().eval()
    inputs, target = torch.randn(3, 5, 32, 32), torch.randn(3, 8)
    loss = model(inputs, {'target': target}, mode='loss')['loss'].item()
    f = model.student(inputs).detach().double().numpy()
    layers = [(m.weight.detach().double().numpy(), m.bias.detach().double().numpy()) for m in model.decoder.layers[::2]]
    hidden = np.maximum(f @ layers[0][0].T + layers[0][1], 0)
    hidden = np.maximum(hidden @ layers[1][0].T + layers[1][1], 0)
    decoded = hidden @ layers[2][0].T + layers[2][1]
    by_hand = ((decoded - target.numpy()) ** 2).sum() / 3
    assert loss == pytest.approx(by_hand, rel=1e-5)


def test_nan_targets_are_ignored():
    decoded = torch.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    loss = PoseDistiller.loss(decoded, torch.tensor([[0.0, torch.nan], [3.0, 2.0]]))
    assert loss.item() == (1 + 9) / 2
    loss.backward()
    assert decoded.grad.tolist() == [[1, 0], [0, 3]]


def test_feature_is_the_pose_without_motion():
    model = small_distiller(motion=False).eval()
    inputs, target = torch.randn(2, 5, 32, 32), torch.randn(2, 4)
    feature = model(inputs)
    expected = ((feature - target) ** 2).sum(1).mean()
    torch.testing.assert_close(model(inputs, {'target': target}, mode='loss')['loss'], expected)


def test_every_parameter_gets_a_gradient():
    model = small_distiller()
    model(torch.randn(4, 5, 32, 32), {'target': torch.randn(4, 8)}, mode='loss')['loss'].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_wrong_dims_are_refused():
    with pytest.raises(UserError, match=r'must have 8 numbers .*found 10'):
        small_distiller().eval()(torch.randn(1, 5, 32, 32), {'target': torch.randn(1, 10)}, mode='loss')
    with pytest.raises(UserError, match='student 4, decoder 5'):
        PoseDistiller(
            dict(type='vpd_mm.PoseStudent', out_dims=4, backbone=SMALL), dict(type='vpd_mm.MotionDecoder', dims=5)
        )


def test_pretrained_backbone_is_widened_by_the_mean_kernel(tmp_path):
    rgb = PoseStudent(4, SMALL, in_channels=3)
    torch.save({'state_dict': rgb.backbone.state_dict()}, tmp_path / 'rgb.pth')
    student = PoseStudent(4, SMALL, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'rgb.pth')))
    student.init_weights()
    three, five = first_conv(rgb.backbone)[1].weight, first_conv(student.backbone)[1].weight
    torch.testing.assert_close(five[:, :3], three)
    torch.testing.assert_close(five[:, 3], three.mean(1))
    torch.testing.assert_close(five[:, 4], three.mean(1))
    torch.testing.assert_close(student.backbone.layer4[0].conv1.weight, rgb.backbone.layer4[0].conv1.weight)
    assert widen_kernel(three, 3).shape[1] == 3


def test_mean_kernels_are_those_of_the_published_code(tmp_path):
    torch.manual_seed(0)
    rgb = PoseStudent(4, SMALL, in_channels=3)
    kernel = first_conv(rgb.backbone)[1].weight
    torch.save({'state_dict': rgb.backbone.state_dict()}, tmp_path / 'rgb.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'rgb.pth'))
    for init_cfg in (None, init):
        student = PoseStudent(4, SMALL, init_cfg=init_cfg, mean_kernels=True)
        student.init_weights()
        five = first_conv(student.backbone)[1].weight
        assert torch.equal(five, five[:, :1].expand_as(five))
        assert five.std().item() == pytest.approx(0.0149, abs=5e-4)  # published, of random kernels of sd 0.0251
    torch.testing.assert_close(five[:, 0], kernel.mean(1))
    gray = PoseStudent(4, SMALL, in_channels=3, mean_kernels=True)
    gray.init_weights()
    assert not torch.equal(*first_conv(gray.backbone)[1].weight[:, :2].unbind(1))


def test_inputs_are_those_of_the_published_code():
    """``FrameDataset`` on R, G, B = 30, 120, 200 and on flow, which it reads from images of 8 bits."""
    flow = [-20, -10, -1, 0, 1, 3.7, 10, 20]
    published = [-0.5, -0.25686, -0.03725, -0.01373, 0.0098, 0.07647, 0.22941, 0.47255]
    colors = {
        'tennis7': (-2.39472, 0.00242, 2.62277),
        'fsjump6': (-2.14111, -0.42981, 0.73975),
        'fx35': (-1.36561, 0.64762, 1.88178),
        'diving48': (-1.37086, 0.04148, 1.39134),
    }
    inputs = torch.zeros(1, 5, 1, len(flow))
    inputs[0, :3], inputs[0, 3:] = torch.tensor([30.0, 120, 200])[:, None, None], torch.tensor(flow)
    for name, expected in colors.items():
        out = CropPreprocessor(**SPORTS[name].rgb, flow_std=41.0)({'inputs': inputs})['inputs']
        torch.testing.assert_close(out[0, :3, 0, 0], torch.tensor(expected), atol=1e-3, rtol=0)
        # an even number of steps has no middle, and they are rounded down: 0 px is -0.0137
        torch.testing.assert_close(out[0, 3, 0], torch.tensor(published) + 0.0137, atol=2.2e-3, rtol=0)


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_partial_checkpoint_is_loaded_if_allowed(tmp_path, prefix):
    torch.manual_seed(1)
    rgb = PoseStudent(4, SMALL, in_channels=3).backbone
    state = {prefix + k: v for k, v in rgb.state_dict().items() if not k.startswith('layer4')}
    torch.save({'state_dict': state | ({'head.weight': torch.zeros(1)} if prefix else {})}, tmp_path / 'rgb.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'rgb.pth'), prefix=prefix)
    with pytest.raises(UserError, match='the first is layer4'):
        PoseStudent(4, SMALL, init_cfg=init).init_weights()
    student = PoseStudent(4, SMALL, init_cfg=dict(init, partial=True))
    before = student.backbone.layer4[0].conv1.weight.clone()
    student.init_weights()
    torch.testing.assert_close(student.backbone.layer3[1].conv2.weight, rgb.layer3[1].conv2.weight)
    torch.testing.assert_close(student.backbone.layer4[0].conv1.weight, before)
    torch.testing.assert_close(first_conv(student.backbone)[1].weight, widen_kernel(first_conv(rgb)[1].weight, 5))


@pytest.mark.parametrize('partial', [True, False])
def test_checkpoint_of_another_network_is_refused(tmp_path, partial):
    torch.save({'conv1.weight': torch.zeros(8, 3, 7, 7), 'layer1.0.bn1.bias': torch.zeros(64)}, tmp_path / 'other.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'other.pth'), partial=partial)
    with pytest.raises(UserError, match='does not fit the student backbone TorchvisionBackbone'):
        PoseStudent(4, SMALL, init_cfg=init).init_weights()


def test_any_registered_backbone_works():
    student = PoseStudent(6, dict(type='mmpose.ResNet', depth=18, base_channels=8, out_indices=(3,)))
    assert student(torch.zeros(2, 5, 32, 32)).shape == (2, 6)
    assert student.fc.in_features == 64


def test_preprocessor_normalizes_and_can_drop_flow():
    inputs = torch.stack([torch.full((4, 4), v) for v in (123.675, 116.28, 103.53, 8.0, -4.0)])[None].half()
    out = CropPreprocessor(flow_std=4.0)({'inputs': inputs})['inputs']
    assert out.dtype == torch.float32
    torch.testing.assert_close(out[0, :, 0, 0], torch.tensor([0, 0, 0, 2.0, -1.0]), atol=2e-3, rtol=0)
    assert CropPreprocessor(with_flow=False)({'inputs': inputs})['inputs'].shape == (1, 3, 4, 4)


def test_flip_test_averages_both_views_in_the_original_view():
    original, mirrored = torch.randn(3, 26), torch.randn(3, 26)
    by_hand = (original.numpy() + flip_joints(mirrored.numpy().reshape(3, 13, 2)).reshape(3, 26)) / 2
    np.testing.assert_allclose(mean_of_views(original, mirrored), by_hand, rtol=1e-6)
    # A change of pose is mirrored like a pose.
    both = mean_of_views(torch.cat([original, original], 1), torch.cat([mirrored, mirrored], 1))
    np.testing.assert_allclose(both, np.tile(by_hand, 2), rtol=1e-6)

    model = small_distiller(dims=26, test_cfg=dict(flip_test=True)).eval()
    inputs = torch.randn(2, 5, 32, 32)
    crop, twin = (model(x, mode='predict')[0]['decoded'] for x in (inputs, mirror_crops(inputs)))
    # The prediction of the mirrored crop is the mirrored prediction for any weights.
    expected = flip_joints(crop.detach().numpy().reshape(2, 2, 13, 2)).reshape(2, 52)
    np.testing.assert_allclose(twin.detach().numpy(), expected, atol=1e-5)


def test_flip_test_is_for_joints_only():
    with pytest.raises(UserError, match='flip_test mirrors 2D joints'):
        small_distiller(dims=4, test_cfg=dict(flip_test=True))
