"""The data sets of the BiGRU, TSN and ST-GCN read the same frames and labels of an action."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from vpd_mm.baselines import CropClipDataset, PoseClipDataset
from vpd_mm.errors import UserError
from vpd_mm.features import FeatureClipDataset

WINDOWS = [{}, {'before_sec': 0.2, 'after_sec': 0.12}, {'before_sec': 2.5, 'after_sec': 0.5}]
#: Index of the left wrist among the 13 joints, and the size of 1 px after normalisation.
WRIST, PX = 5, 0.5 / 20


@pytest.mark.parametrize('window', WINDOWS)
@pytest.mark.parametrize(
    ('split', 'ids_file'), [('train', None), ('train', 'annotations/fewshot/1_0.txt'), ('val', None), ('test', None)]
)
def test_label_and_frames_are_the_same(baseline_corpus, window, split, ids_file):
    init_default_scope('vpd_mm')
    shared = dict(split=split, ids_file=ids_file, window=window, num_classes=2, test_mode=True, pipeline=[])
    root = str(baseline_corpus.root)
    features = FeatureClipDataset(root, 'joints', **shared)
    crops = CropClipDataset(root, **shared)
    poses = PoseClipDataset(root, 'penn', **shared)
    assert len(features) == len(crops) == len(poses)
    decode = Compose([dict(type='LoadClip')])
    normalize = Compose([dict(type='NormalizedJoints')])
    for i in range(len(features)):
        feature, crop, pose = features[i], crops[i], poses[i]
        assert feature['action_id'] == crop['action_id'] == pose['action_id']
        assert feature['label'] == crop['label'] == pose['label']
        assert feature['num_frames'] == crop['total_frames'] == pose['total_frames']
        frames = feature['feats'][0, :, 2 * WRIST] / PX
        clip = decode({**crop, 'frame_inds': np.arange(crop['total_frames'])})
        np.testing.assert_allclose([img.mean() / 4 for img in clip['imgs']], frames, atol=0.3)
        np.testing.assert_allclose(pose['keypoint'][0, :, WRIST, 0] - 40, frames, atol=1e-3)
        np.testing.assert_allclose(normalize(pose)['feats'], feature['feats'], atol=1e-6)


def test_window_and_rate_select_the_frames(baseline_corpus):
    dataset = CropClipDataset(str(baseline_corpus.root), window={'before_sec': 0.2, 'after_sec': 0.12}, pipeline=[])
    assert dataset[0]['clip_frames'].tolist() == list(range(1, 23))
    assert dataset[2]['clip_frames'].tolist() == list(range(0, 46, 2))  # 50 fps become 25


def test_a_draw_fixes_the_random_numbers_of_transforms(baseline_corpus):
    init_default_scope('vpd_mm')
    pipeline = [dict(type='NormalizedJoints'), dict(type='RandomTimeCrop', max_share=0.4)]
    dataset = PoseClipDataset(str(baseline_corpus.root), 'penn', pipeline=pipeline)
    first, again, other = (dataset[(0, draw)]['feats'] for draw in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.allclose(first, other)
    views = {np.sign(dataset[(0, draw)]['feats'][0, -1, 2 * WRIST]) for draw in range(8)}
    assert len(views) > 1  # training draws the original or the flipped view


@pytest.mark.parametrize(
    ('kind', 'kwargs', 'message'),
    [
        (CropClipDataset, {'source': 'mask'}, 'source must be one of crop, flow, frame'),
        (CropClipDataset, {'num_classes': 5}, '2 classes, the config has num_classes=5'),
        (PoseClipDataset, {'poses': 'none'}, 'no such poses; .* has pose sets: penn, release, teacher'),
    ],
)
def test_wrong_arguments_are_refused(baseline_corpus, kind, kwargs, message):
    with pytest.raises(UserError, match=message):
        kind(str(baseline_corpus.root), pipeline=[], **kwargs)
