"""Extraction from poses and retrieval across cameras, through the tools."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.structures import PoseSequence
from vpd_mm.synthetic import SyntheticPoses
from vpd_mm.synthetic.checkpoints import packed_model
from vpd_mm.teacher.vipe_dataset import camera_rotation, project

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/teacher/vipe_fc512_240e_synthetic.py'


@pytest.fixture(scope='module')
def cameras(tmp_path_factory):
    """A corpus whose pose sets ``left`` and ``right`` are two cameras' views of the same 40 moments."""
    corpus = Corpus.create(tmp_path_factory.mktemp('data') / 'views')
    joints = np.concatenate(SyntheticPoses(num=40, seed=9).poses()).astype(float)
    joints -= joints[:, 11:13].mean(axis=1, keepdims=True)
    for name, azimuth in (('left', 0.4), ('right', 1.3)):
        rotation = camera_rotation(np.full(40, azimuth), np.full(40, 0.1), np.zeros(40))
        keypoints = 800 * project(joints, rotation, np.full(40, 6.0)) + 100
        poses = PoseSequence(np.arange(40), keypoints.astype(np.float32), np.ones((40, 17), np.float32))
        poses.save(corpus.poses_dir(name) / 'v.npz')
    return corpus


def tool(run_python, name, *args):
    return run_python(ROOT / 'tools' / name, *args, cwd=ROOT)


def test_poses_become_features_of_both_views(run_python, cameras):
    done = tool(run_python, 'extract_features.py', 'vipe', '--corpus', cameras.root, '--poses', 'left')
    assert done.returncode == 0, done.stderr
    assert '1 video written, 1 in total, D = 64' in done.stdout
    done = tool(run_python, 'extract_features.py', 'vipe', '--invert', '--corpus', cameras.root, '--poses', 'left')
    assert 'D = 128' in done.stdout, done.stderr
    plain = FeatureStore(cameras.teacher_dir('vipe'))['v'].feats
    inverted = FeatureStore(cameras.teacher_dir('vipe-invert'))['v'].feats
    assert plain.shape == (40, 2, 64)
    np.testing.assert_array_equal(inverted[..., :64], plain)
    again = tool(run_python, 'extract_features.py', 'vipe', '--corpus', cameras.root, '--poses', 'right')
    assert again.returncode == 1
    assert again.stderr.startswith('error: ')
    assert 'pass another --out' in again.stderr


def test_retrieval_across_cameras(run_python, cameras, tmp_path):
    views = [cameras.poses_dir(name) for name in ('left', 'right')]
    checkpoint = packed_model('vipe')[1]
    done = tool(run_python, 'test.py', CONFIG, checkpoint, '--work-dir', tmp_path, '--views', *views)
    assert done.returncode == 0, done.stderr
    assert 'view/hit@1' in done.stdout + done.stderr
    other = 'configs/baselines/stgcn_joint_8e_generated.py'
    torch.save({'state_dict': {}}, tmp_path / 'x.pth')
    done = tool(run_python, 'test.py', other, tmp_path / 'x.pth', '--views', *views)
    assert done.returncode == 1
    assert 'needed is one of VIPE' in done.stderr
