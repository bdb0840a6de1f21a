"""MS-G3D: graphs against breadth-first search, convolutions by hand, the published size."""

from collections import deque

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope

from vpd_mm.baselines.msg3d import (
    G3DPathway,
    MultiScaleGraphConv,
    MultiScaleTemporalConv,
    disentangled_adjacency,
    window_graph,
)
from vpd_mm.errors import UserError
from vpd_mm.registry import MODELS

INWARD = [(1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (6, 4), (7, 1), (8, 2), (9, 7), (10, 8), (11, 9), (12, 10)]


def graph(edges: list[tuple[int, int]], nodes: int) -> np.ndarray:
    adjacency = np.zeros((nodes, nodes))
    for a, b in edges:
        adjacency[a, b] = adjacency[b, a] = 1
    return adjacency


def bfs(adjacency: np.ndarray) -> np.ndarray:
    """Steps between every two nodes, -1 where there is no way."""
    distance = np.full(adjacency.shape, -1)
    for start in range(len(adjacency)):
        distance[start, start], queue = 0, deque([start])
        while queue:
            node = queue.popleft()
            for other in np.flatnonzero(adjacency[node]):
                if distance[start, other] < 0:
                    distance[start, other] = distance[start, node] + 1
                    queue.append(other)
    return distance


@pytest.mark.parametrize('window', [1, 3])
def test_a_scale_links_joints_of_its_distance(window):
    skeleton = graph(INWARD, 13)
    full = window_graph(skeleton, window) if window > 1 else skeleton
    distance = bfs(full)
    scales = disentangled_adjacency(full, 10)
    for k, scale in enumerate(scales):
        np.testing.assert_array_equal(scale > 0, (distance == k) | np.eye(len(full), dtype=bool))
    assert (distance.max() + 1) == 9  # num_gcn_scales of the configs
    np.testing.assert_array_equal(scales[9], np.eye(len(full)))


def test_normalisation_by_hand():
    scale = disentangled_adjacency(graph([(0, 1), (1, 2)], 3), 2)[1]
    root = np.sqrt(1 / 6)
    np.testing.assert_allclose(scale, [[1 / 2, root, 0], [root, 1 / 3, root], [0, root, 1 / 2]], rtol=1e-6)


def test_the_window_graph_by_hand():
    """Two joints, two frames: nodes are (joint, frame) = a0 b0 a1 b1, all linked, none with itself."""
    np.testing.assert_array_equal(window_graph(graph([(0, 1)], 2), 2), 1 - np.eye(4))
    chain = window_graph(graph([(0, 1), (1, 2)], 3), 2)
    assert chain[0].tolist() == [0, 1, 0, 1, 1, 0]  # joint 0: joint 1 now; itself and joint 1 in the other frame


def test_windows_hold_the_surrounding_frames():
    pathway = G3DPathway(1, 1, 1, graph([(0, 1)], 2), 2, window=3, dilation=2, stride=2)
    x = torch.arange(1.0, 11).reshape(1, 1, 5, 2)  # frame t is 2t + 1, 2t + 2
    expected = [[0, 0, 1, 2, 5, 6], [1, 2, 5, 6, 9, 10], [5, 6, 9, 10, 0, 0]]
    assert pathway.windows(x)[0, 0].tolist() == expected


def test_a_graph_convolution_by_hand():
    adjacency = disentangled_adjacency(graph([(0, 1)], 2), 2)
    conv = MultiScaleGraphConv(1, 1, adjacency).eval()
    conv.mask.data.zero_()
    conv.project.weight.data[:] = torch.tensor([[10.0], [1.0]])[None, :, :, None].reshape(1, 2, 1, 1)
    conv.project.bias.data.zero_()
    x = torch.tensor([[[[2.0, 6.0]]]])
    # scale 0 is the joint itself, scale 1 the mean of both
    torch.testing.assert_close(conv(x), torch.tensor([[[[24.0, 64.0]]]]) / (1 + 1e-5) ** 0.5)


def test_temporal_convolution_halves_time_and_does_not_mix_joints():
    conv = MultiScaleTemporalConv(2, 12, stride=2).eval()
    x = torch.rand(1, 2, 9, 3)
    changed = x.clone()
    changed[..., 2] += 1
    assert conv(x).shape == (1, 12, 5, 3)
    torch.testing.assert_close(conv(x)[..., :2], conv(changed)[..., :2])
    with pytest.raises(UserError, match='multiple of 6'):
        MultiScaleTemporalConv(2, 8)


def recognizer(layout, num_classes: int, **kwargs):
    init_default_scope('vpd_mm')
    backbone = dict(type='vpd_mm.MSG3D', graph_cfg=dict(layout=layout), **kwargs)
    head = dict(type='GCNHead', num_classes=num_classes, in_channels=4 * kwargs.get('base_channels', 96))
    return MODELS.build(dict(_scope_='mmaction', type='RecognizerGCN', backbone=backbone, cls_head=head))


def test_the_published_setting_has_the_published_size():
    model = recognizer('nturgb+d', 60, num_person=2)
    count = sum(p.numel() for p in model.parameters())
    assert count == 3_194_595
    assert round(count / 1e6, 1) == 3.2  # the paper's number


@pytest.mark.parametrize('layout', ['coco', dict(num_node=13, inward=INWARD, center=0)])
def test_gradients_reach_every_parameter(layout):
    torch.manual_seed(0)
    model = recognizer(layout, 4, base_channels=12, num_gcn_scales=4, num_g3d_scales=3).train()
    joints = 17 if layout == 'coco' else 13
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1, 2)]
    model(torch.randn(3, 1, 1, 16, joints, 3), samples, mode='loss')['loss_cls'].backward()
    # the gradient of a bias ahead of a batch normalisation is 0 but for rounding
    weights = [(name, p.grad) for name, p in model.named_parameters() if not name.endswith('bias')]
    assert all(p.grad is not None for p in model.parameters())
    assert [name for name, grad in weights if not grad.abs().sum() > 0] == []


def test_output_for_the_head():
    model = recognizer(dict(num_node=13, inward=INWARD, center=0), 4, base_channels=12, num_person=2)
    assert model.backbone(torch.randn(2, 2, 16, 13, 3)).shape == (2, 2, 48, 4, 13)
