import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.structures import PoseSequence
from vpd_mm.teacher import PoseViewDataset, pose_inputs
from vpd_mm.teacher.joint_feature import VPD_JOINTS


def write(path, frames, seed=0, scores=None):
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 200, (len(frames), 17, 2)).astype(np.float32)
    scores = np.ones((len(frames), 17), np.float32) if scores is None else scores
    PoseSequence(np.asarray(frames, np.int64), keypoints, scores).save(path)
    return keypoints


def test_common_frames_of_two_files(tmp_path):
    first = write(tmp_path / 'a.npz', [0, 1, 2, 5, 9])
    second = write(tmp_path / 'b.npz', [1, 2, 3, 5], seed=1)
    data = PoseViewDataset([str(tmp_path / 'a.npz'), str(tmp_path / 'b.npz')])
    assert [data[i]['data_samples']['moment'] for i in range(len(data))] == [1, 2, 5]
    wanted = [pose_inputs(k[None, VPD_JOINTS], np.ones((1, 13)))[0] for k in (first[3], second[3])]
    np.testing.assert_allclose(data[2]['inputs'], wanted, atol=1e-6)


def test_folders_are_matched_by_name(tmp_path):
    for camera in ('left', 'right', 'top'):
        for video in ('jump', 'run', camera):
            write(tmp_path / camera / f'{video}.npz', range(4))
    data = PoseViewDataset([str(tmp_path / c) for c in ('left', 'right', 'top')])
    assert data[0]['inputs'].shape == (3, 13, 3)
    assert [int(data[i]['data_samples']['video']) for i in range(len(data))] == [0] * 4 + [1] * 4


def test_invalid_views_are_refused(tmp_path):
    a, b, hidden, folder = (str(tmp_path / n) for n in ('a.npz', 'b.npz', 'hidden.npz', 'folder'))
    write(tmp_path / 'a.npz', [0, 1])
    write(tmp_path / 'b.npz', [2, 3])
    write(tmp_path / 'hidden.npz', [0, 1], scores=np.zeros((2, 17), np.float32))
    (tmp_path / 'folder').mkdir()
    for views, message in (
        ([a], 'two or more cameras, found 1'),
        ([a, b], 'share no frame'),
        ([a, hidden], r'hidden\.npz: all joints of all 2 frames are hidden'),
        ([a, str(tmp_path / 'none.npz')], r'none\.npz: no such file'),
        ([folder, a], 'must be a folder of pose files'),
        ([folder, folder], 'no pose file of the same name'),
    ):
        with pytest.raises(UserError, match=message):
            PoseViewDataset(views)
