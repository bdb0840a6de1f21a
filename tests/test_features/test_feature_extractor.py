import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config

from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.distill import ChiralFlip, PoseDistiller
from vpd_mm.errors import UserError
from vpd_mm.features import joint_features
from vpd_mm.features.feature_extractor import FeatureExtractor, build_extractor, concat_features, extract_corpus
from vpd_mm.features.preview import CropPoses, write_preview, write_strip
from vpd_mm.structures import VPD_JOINTS, FeatureSequence, PoseSequence
from vpd_mm.structures.npz_io import read_source

BACKBONE = dict(type='mmpose.ResNet', depth=18, base_channels=8, out_indices=(3,))
PIPELINE = [
    dict(type='vpd_mm.LoadCrop'),
    dict(type='vpd_mm.LoadFlow'),
    dict(type='vpd_mm.StackFlow'),
    dict(type='vpd_mm.PackCropInputs'),
]


def small(dims=26):
    torch.manual_seed(0)
    student = dict(type='vpd_mm.PoseStudent', out_dims=dims, backbone=BACKBONE)
    return PoseDistiller(student, dict(type='vpd_mm.MotionDecoder', dims=dims)).eval()


@pytest.fixture(scope='module')
def extractor():
    return FeatureExtractor(small(), PIPELINE, batch_size=7)


@pytest.fixture(scope='module')
def extracted(extractor, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp('run') / 'vpd'
    assert extract_corpus(extractor, corpus, out, {'run': 1}) == 2
    return out


def inputs_of(corpus, frame, flip=False):
    store = CropStore(corpus.crops_dir)
    sample = {'img': store.crop('a', frame), 'flow': store.flow('a', frame), 'rng': None, 'video': 'a'}
    if flip:
        sample = ChiralFlip(1)(sample)
    stacked = np.concatenate([sample['img'].astype(np.float32), sample['flow']], axis=2)
    return torch.from_numpy(stacked.transpose(2, 0, 1).copy())[None]


@pytest.mark.parametrize('view', [0, 1])
def test_features_are_of_the_crop_and_of_the_flipped_crop(extractor, extracted, corpus, view):
    sequence = FeatureStore(extracted)['a']
    assert sequence.feats.shape == (60, 2, 26)
    np.testing.assert_array_equal(sequence.frame_inds, np.arange(60))
    model = extractor.model
    with torch.no_grad():
        batch = model.data_preprocessor({'inputs': inputs_of(corpus, 33, flip=view == 1)})
        expected = model(batch['inputs'])[0].numpy()
    np.testing.assert_allclose(sequence.feats[33, view], expected, atol=1e-5)
    assert np.abs(sequence.feats[33, 0] - sequence.feats[33, 1]).max() > 1e-3


def test_a_rerun_makes_missing_files_only(extractor, extracted, corpus):
    before = (extracted / 'b.npz').read_bytes()
    (extracted / 'b.npz').unlink()
    assert extract_corpus(extractor, corpus, extracted, {'run': 1}) == 1
    assert (extracted / 'b.npz').read_bytes() == before
    assert extract_corpus(extractor, corpus, extracted, {'run': 1}) == 0


def test_progress_counts_videos(extractor, corpus, tmp_path):
    calls = []
    extract_corpus(extractor, corpus, tmp_path / 'x', {}, on_progress=lambda *counts: calls.append(counts))
    assert calls == [(1, 2), (2, 2)]


def test_processes_share_the_videos(extractor, corpus, tmp_path):
    counts = [extract_corpus(extractor, corpus, tmp_path / 'x', {'run': 1}, rank, 2) for rank in range(2)]
    assert counts == [1, 1]
    assert FeatureStore(tmp_path / 'x').videos() == ['a', 'b']


def test_the_folder_of_another_run_is_refused(extractor, extracted, corpus, tmp_path):
    with pytest.raises(UserError, match='pass another --out'):
        extract_corpus(extractor, corpus, extracted, {'run': 2})
    with pytest.raises(UserError, match='by a former version'):
        extract_corpus(extractor, corpus, corpus.teacher_dir('joints'), {'run': 1})
    assert read_source(extracted / 'a.npz')['run'] == 1


class Zeros:
    """Features in no time."""

    def extract_all(self, store, videos):
        for video in videos:
            frames = store.header(video).frame_inds
            zeros = np.zeros((len(frames), 2, 3), np.float32)
            yield video, FeatureSequence(frames, zeros, zeros[:, 0, 0])


@pytest.mark.parametrize('again', [False, True])
def test_two_students_do_not_mix_in_one_folder(corpus, tmp_path, again):
    """Their configs and checkpoints may have the same names; ``again``: both replace the features of a former one."""
    models = [{'checkpoint': 'best.pth', 'inputs': {'model': str(number)}} for number in range(3)]
    if again:
        extract_corpus(Zeros(), corpus, tmp_path / 'x', models[0])

    def other_writes(done: int, total: int) -> None:
        if done == 1:
            extract_corpus(Zeros(), corpus, tmp_path / 'x', models[2])

    with pytest.raises(UserError, match=r'x/b\.npz: another command wrote it meanwhile; pass another --out to one of'):
        extract_corpus(Zeros(), corpus, tmp_path / 'x', models[1], on_progress=other_writes)
    assert {read_source(tmp_path / 'x' / f'{v}.npz')['inputs']['model'] for v in 'ab'} == {'2'}


def test_a_folder_may_be_written_twice_at_once(corpus, tmp_path):
    def other_writes(done: int, total: int) -> None:
        assert extract_corpus(Zeros(), corpus, tmp_path / 'x', {'run': 1}) == (done == 1)

    assert extract_corpus(Zeros(), corpus, tmp_path / 'x', {'run': 1}, on_progress=other_writes) == 2


def test_extract_all_equals_extract(extractor, corpus):
    store = CropStore(corpus.crops_dir)
    names = ['b', 'a', 'b']
    results = list(extractor.extract_all(store, iter(names)))
    assert [name for name, _ in results] == names
    for name, sequence in results:
        alone = extractor.extract(store, name)
        np.testing.assert_array_equal(sequence.frame_inds, alone.frame_inds)
        np.testing.assert_array_equal(sequence.feats, alone.feats)
    assert list(extractor.extract_all(store, [])) == []


def test_concat_stacks_dims_on_shared_frames(extracted, corpus, tmp_path):
    teacher = corpus.teacher_dir('joints')
    assert concat_features(corpus, [extracted, teacher], tmp_path / 'both') == 2
    both = FeatureStore(tmp_path / 'both')['a']
    student, joints = FeatureStore(extracted)['a'], FeatureStore(teacher)['a']
    np.testing.assert_array_equal(both.frame_inds, joints.frame_inds)
    np.testing.assert_array_equal(both.feats[:, :, 26:], joints.feats)
    np.testing.assert_array_equal(both.feats[:, :, :26], student.feats[joints.frame_inds])
    np.testing.assert_array_equal(both.scores, joints.scores)


def test_a_checkpoint_with_another_d_is_refused(tmp_path):
    torch.save({'state_dict': small(5).state_dict()}, tmp_path / 'five.pth')
    student = dict(type='vpd_mm.PoseStudent', out_dims=26, backbone=BACKBONE)
    cfg = Config({'model': dict(type='vpd_mm.PoseDistiller', student=student), 'test_dataloader': {}})
    with pytest.raises(UserError, match=r'five\.pth: does not fit'):
        build_extractor(cfg, tmp_path / 'five.pth')
    with pytest.raises(UserError, match='no such file'):
        build_extractor(cfg, tmp_path / 'none.pth')


def test_preview_shows_every_frame(extractor, extracted, corpus, tmp_path):
    import av
    import cv2

    store = CropStore(corpus.crops_dir)
    decoded = extractor.decode(FeatureStore(extracted)['a'].feats)
    assert decoded.shape == (60, 26)
    sheet, clip = write_preview(corpus, 'a', decoded, 'joints', tmp_path, fps=25.0)
    height, width, _ = cv2.imread(str(sheet)).shape
    assert width == 3 * 480 + 2 * 4
    assert 10 * 160 + 9 * 4 < height < 10 * 160 + 9 * 4 + 50  # the legend
    with av.open(str(clip)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 60
    strip = cv2.imread(str(write_strip(corpus, 'a', decoded, 'joints', tmp_path / 'a.jpg', 10, 30, columns=5)))
    assert strip.shape[1] == 5 * 160
    first = cv2.resize(store.crop('a', 10), (160, 160), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert abs(strip[20:160, :160].astype(int) - first[20:]).mean() < 8


def test_joints_of_the_teacher_are_placed_where_its_pose_set_has_them(corpus, tmp_path):
    copy = Corpus.open(shutil.copytree(corpus.root, tmp_path / 'copy'))
    keypoints = np.random.default_rng(0).uniform(0, 50, (60, 17, 2)).astype(np.float32)
    sequence = PoseSequence(np.arange(60), keypoints, np.ones((60, 17), np.float32))
    sequence.save(copy.pose_path('p', 'a'))
    joint_features(copy, 'p', 'placed')
    poses = CropPoses(copy, 'a', 'placed')
    placed = poses.place(33, poses.features.feats[33, 0])
    np.testing.assert_allclose(placed, keypoints[33, VPD_JOINTS], atol=1e-3)
    left, top, side = poses.windows[33]
    np.testing.assert_allclose(poses.in_crop(33, placed, 160) * side / 160 + (left, top), placed)


def test_preview_without_crops_or_with_an_error_leaves_nothing(extractor, extracted, corpus, tmp_path):
    from vpd_mm.corpus.crop_writer import CropWriter

    other = Corpus.create(tmp_path / 'other', 'other')
    with CropWriter(other.crops_dir / 'shard-000.lmdb') as writer, writer.video('empty', 32):
        pass
    nothing = np.zeros((0, 26), np.float32)
    with pytest.raises(UserError, match="video 'empty' has no crops to show"):
        write_preview(other, 'empty', nothing, 'joints', tmp_path / 'out', fps=25.0)
    decoded = extractor.decode(FeatureStore(extracted)['a'].feats)
    with pytest.raises(ValueError, match='zip'):  # fewer poses than crops
        write_preview(corpus, 'a', decoded[:20], 'joints', tmp_path / 'out', fps=25.0)
    assert not list((tmp_path / 'out').iterdir())
    (tmp_path / 'link').symlink_to(tmp_path / 'out')
    with pytest.raises(UserError, match='is a link'):
        write_preview(corpus, 'a', decoded, 'joints', tmp_path / 'link', fps=25.0, overwrite=True)
