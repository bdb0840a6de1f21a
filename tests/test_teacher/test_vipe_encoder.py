import numpy as np
import pytest
import torch

from vpd_mm.teacher import VIPEEncoder
from vpd_mm.teacher.vipe_encoder import image_bones


def test_parameter_count_of_the_published_model():
    assert sum(p.numel() for p in VIPEEncoder().parameters()) == 4313152


@pytest.mark.parametrize('plain', [False, True])
def test_forward_equals_the_formula(plain):
    torch.manual_seed(0)
    encoder = VIPEEncoder(dims=3, hidden_dims=8, plain=plain).train()
    encoder(torch.randn(50, 13, 3))  # running statistics that are not 0 and 1
    encoder.eval()
    inputs = torch.randn(4, 13, 3)
    hidden = inputs.double().numpy().reshape(4, 39)

    def linear(x, layer):
        return x @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()

    hidden = linear(hidden, encoder.enter)
    if not plain:
        hidden = np.maximum(hidden, 0)
    for block in encoder.blocks:
        inside = hidden
        for layer, norm in ((block[0], block[1]), (block[4], block[5])):
            mean, var = norm.running_mean.double().numpy(), norm.running_var.double().numpy()
            inside = np.maximum((linear(inside, layer) - mean) / np.sqrt(var + norm.eps), 0)
        hidden = inside + (hidden if plain else -hidden)
    np.testing.assert_allclose(encoder(inputs).detach(), linear(hidden, encoder.leave), rtol=1e-4, atol=1e-5)


def test_views_are_embedded_independently():
    encoder = VIPEEncoder(dims=4, hidden_dims=16).eval()
    inputs = torch.randn(5, 2, 13, 3)
    torch.testing.assert_close(encoder(inputs)[:, 1], encoder(inputs[:, 1]))


def test_bone_features_by_value():
    points = torch.zeros(1, 13, 2)
    points[0, 1] = torch.tensor([3.0, 4.0])  # left shoulder; all else at the origin
    bones = image_bones(points)
    assert bones.shape == (1, 12, 3)
    torch.testing.assert_close(bones[0, 3], torch.tensor([0.6, 0.8, 5.0]))  # right to left shoulder
    torch.testing.assert_close(bones[0, 4], torch.tensor([-0.6, -0.8, 5.0]))  # to the left elbow
    torch.testing.assert_close(bones[0, 0], torch.tensor([0.6, 0.8, 2.5]))  # trunk
    assert not bones[0, 8].any()
    encoder = VIPEEncoder(hidden_dims=16, bones=True).eval()
    assert encoder.enter.in_features == 39 + 36
    assert encoder(torch.randn(2, 13, 3)).shape == (2, 64)
