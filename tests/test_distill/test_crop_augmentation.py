import pytest
import torch

from vpd_mm.distill import CropAugmentation


def batch(n=4, size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.rand((n, 3, size, size), generator=generator) * 255
    flow = torch.randn((n, 2, size, size), generator=generator)
    samples = {'index': torch.arange(n), 'draw': torch.arange(n) + 7}
    samples |= {'target': torch.ones(n, 3), 'flipped_target': -torch.ones(n, 3)}
    return torch.cat([rgb, flow], 1), samples


STILL = {'scale': (1.0, 1.0), 'ratio': (1.0, 1.0), 'brightness': 0, 'contrast': 0, 'saturation': 0, 'hue': 0}


def test_a_flip_alone_mirrors_negates_u_and_swaps_targets():
    inputs, samples = batch()
    out, after = CropAugmentation(**STILL, flip_prob=1.0)(inputs.clone(), samples)
    torch.testing.assert_close(out[:, :3], inputs[:, :3].flip(-1), atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(out[:, 3], -inputs[:, 3].flip(-1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(out[:, 4], inputs[:, 4].flip(-1), atol=1e-4, rtol=1e-4)
    assert (after['target'] == -1).all()
    assert (after['flipped_target'] == 1).all()


def test_nothing_changes_nothing():
    inputs, samples = batch()
    out, after = CropAugmentation(**STILL, flip_prob=0.0)(inputs.clone(), samples)
    torch.testing.assert_close(out, inputs, atol=2e-3, rtol=1e-4)
    assert (after['target'] == 1).all()


def test_a_window_of_half_the_width_doubles_the_flow():
    augment = CropAugmentation(**STILL | {'scale': (0.25, 0.25)}, flip_prob=0.0)
    inputs = torch.cat([torch.zeros(1, 3, 16, 16), torch.full((1, 2, 16, 16), 1.5)], 1)
    out, _ = augment(inputs, {'index': torch.zeros(1)})
    torch.testing.assert_close(out[:, 3:], torch.full((1, 2, 16, 16), 3.0))


def test_draws_repeat_and_differ_between_batches():
    augment = CropAugmentation()
    inputs, samples = batch()
    first, again = (augment(inputs.clone(), samples)[0] for _ in range(2))
    other = augment(inputs.clone(), samples | {'draw': samples['draw'] + 1})[0]
    torch.testing.assert_close(first, again)
    assert (first - other).abs().mean() > 1


def test_half_of_many_are_flipped_and_each_sample_has_its_own_draw():
    inputs, samples = batch(n=400, size=4)
    _, after = CropAugmentation()(inputs, samples)
    assert (after['target'][:, 0] < 0).float().mean().item() == pytest.approx(0.5, abs=0.08)
