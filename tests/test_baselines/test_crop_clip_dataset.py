"""Images of clips: selection, format and flips."""

import pickle

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from vpd_mm.athlete import VideoReader
from vpd_mm.baselines import CropClipDataset
from vpd_mm.baselines.crop_clip_dataset import ClipSource, clip_frames
from vpd_mm.errors import UserError


def load(dataset, index, inds, **kwargs):
    init_default_scope('vpd_mm')
    return Compose([dict(type='LoadClip', **kwargs)])({**dataset[index], 'frame_inds': np.array(inds)})


def test_flow_of_consecutive_frames_is_stacked_and_repeated_at_the_end(baseline_corpus):
    dataset = CropClipDataset(str(baseline_corpus.root), source='flow', pipeline=[])
    clip = load(dataset, 0, [0, 12], flow_stack=3)  # frames 6 .. 19 of video a
    u = [[img[..., c].mean() * 5 for c in (0, 2, 4)] for img in clip['imgs']]
    np.testing.assert_allclose(u, [[6, 7, 8], [18, 19, 19]], atol=0.5)
    assert clip['imgs'][0].shape == (32, 32, 6)
    assert np.abs(clip['imgs'][0][..., 1::2]).max() < 0.2
    assert clip['modality'] == 'RGB'


def test_a_flip_negates_the_horizontal_flow(baseline_corpus):
    dataset = CropClipDataset(str(baseline_corpus.root), source='flow', pipeline=[])
    clip = load(dataset, 0, [3])
    clip['imgs'] = [np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)]
    flipped = Compose([dict(type='ClipFlip', prob=1.0)])(clip)['imgs'][0]
    np.testing.assert_array_equal(flipped[0, 0], [-8, 9, -10, 11])
    same = Compose([dict(type='ClipFlip', prob=0.0)])(clip)['imgs'][0]
    np.testing.assert_array_equal(same, flipped)


def test_a_flip_mirrors_images(baseline_corpus):
    clip = load(CropClipDataset(str(baseline_corpus.root), pipeline=[]), 0, [3])
    clip['imgs'] = [np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)]
    flipped = Compose([dict(type='ClipFlip', prob=1.0)])(clip)['imgs'][0]
    np.testing.assert_array_equal(flipped[0, 0], [6, 7, 8])


@pytest.mark.parametrize('index', [0, 1, 2])
def test_whole_frames_are_read_from_the_video_file(baseline_corpus, index):
    dataset = CropClipDataset(str(baseline_corpus.root), source='frame', pipeline=[])
    sample = dataset[index]
    truth = dict(VideoReader(baseline_corpus.video(sample['video']).path))
    clip = load(dataset, index, [0, 5, 5, 9])
    for img, frame in zip(clip['imgs'], sample['clip_frames'][[0, 5, 5, 9]], strict=True):
        np.testing.assert_array_equal(img, truth[frame])
    assert clip['img_shape'] == (48, 64)


def test_a_source_can_be_pickled(baseline_corpus):
    source = ClipSource(baseline_corpus, 'frame')
    video = baseline_corpus.video('a')
    before = source.read(video, [3])[0]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read(video, [3])[0], before)


def test_missing_video_files_are_reported(baseline_corpus):
    video = type(baseline_corpus.video('a'))('a', '', 25.0, 50, 64, 48)
    with pytest.raises(UserError, match=r"video 'a' has no file .*--full-frame"):
        ClipSource(baseline_corpus, 'frame').read(video, [3])


def test_the_nearest_crop_replaces_a_missing_one():
    available = np.array([2, 10, 11, 14, 30])
    assert clip_frames(available, np.arange(8, 17)).tolist() == [10, 10, 10, 11, 11, 14, 14, 14, 14]
    assert clip_frames(available, np.array([5, 7, 9])) is None  # 2 and 10 are outside of the window
    assert clip_frames(available, np.array([10, 11, 12])).tolist() == [10, 11, 11]
