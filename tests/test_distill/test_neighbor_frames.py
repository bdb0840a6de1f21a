import numpy as np
import pytest
import torch

from vpd_mm.corpus import Corpus, CropStore, CropWriter
from vpd_mm.distill import (
    ChiralFlip,
    CropColorJitter,
    CropPreprocessor,
    LoadCrop,
    LoadFlow,
    NeighborFrames,
    ResizedCrop,
    StackFlow,
)
from vpd_mm.distill.pose_distiller import mirror_crops
from vpd_mm.errors import UserError
from vpd_mm.infer.passes import _OneCrop

STEPS = [LoadCrop(), LoadFlow(), ResizedCrop(16), CropColorJitter(), ChiralFlip(), StackFlow()]
THREE = NeighborFrames(STEPS)


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    """Frames 0 to 3, 5 and 6; a cut before frame 2."""
    rng, corpus = np.random.default_rng(0), Corpus.create(tmp_path_factory.mktemp('three') / 'corpus')
    with (
        CropWriter(corpus.crops_dir / 'shard-0.lmdb') as writer,
        writer.video('a', size=32, flow={'method': 'known', 'clip': 20.0}) as video,
    ):
        for frame in (0, 1, 2, 3, 5, 6):
            rgb, flow = rng.integers(0, 256, (32, 32, 3), np.uint8), rng.normal(0, 5, (32, 32, 2)).astype(np.float32)
            video.add(frame, (0, 0, 32), rgb, flow, start=frame == 2)
    return CropStore(corpus.crops_dir)


def results(store, frame, seed=0):
    return {'store': store, 'video': 'a', 'frame': frame, 'rng': np.random.default_rng(seed)}


def one_frame(store, frame, seed):
    sample = results(store, frame, seed)
    for step in STEPS:
        sample = step(sample)
    return sample


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize(
    ('frame', 'frames'),
    [(1, (1, 0, 1)), (2, (2, 2, 3)), (3, (3, 2, 3)), (5, (5, 5, 6))],
    ids=['before a cut', 'after a cut', 'before a gap', 'after a gap'],
)
def test_each_frame_has_the_same_random_numbers(store, frame, frames, seed):
    sample = THREE(results(store, frame, seed))
    wanted = [one_frame(store, each, seed) for each in frames]
    torch.testing.assert_close(sample['inputs'], torch.cat([each['inputs'] for each in wanted]), rtol=0, atol=0)
    assert sample.get('view', 0) == wanted[0].get('view', 0)
    np.testing.assert_array_equal(sample['flow_scale'], wanted[0]['flow_scale'])


def test_flow_of_each_frame_is_in_px_and_mirrored(store):
    inputs, scale = THREE(results(store, 3))['inputs'][None], torch.tensor([[0.5, 2.0]])
    preprocessor = CropPreprocessor()
    batch = preprocessor({'inputs': inputs, 'data_samples': {'flow_scale': scale}})['inputs']
    each = [
        preprocessor({'inputs': part, 'data_samples': {'flow_scale': scale}})['inputs'] for part in inputs.split(5, 1)
    ]
    torch.testing.assert_close(batch, torch.cat(each, dim=1), rtol=0, atol=0)
    torch.testing.assert_close(
        mirror_crops(batch), torch.cat([mirror_crops(part) for part in each], dim=1), rtol=0, atol=0
    )


def test_a_video_that_is_not_prepared_has_no_neighbors():
    crop = _OneCrop(np.zeros((32, 32, 3), np.uint8), None, 1.0)
    with pytest.raises(UserError, match=r'needs neighboring frames; use tools/prepare\.py'):
        THREE(results(crop, 3))


def test_frames_without_flow_are_refused(store):
    inputs = THREE(results(store, 3))['inputs'][None]
    with pytest.raises(UserError, match='NeighborFrames needs flow'):
        CropPreprocessor(with_flow=False)({'inputs': inputs, 'data_samples': {}})
