"""LAAS Parkour: the layout of its repository, its Python 2 pickle, ground truth beside the training data."""

import numpy as np
import pytest
from media import make_video
from mocap import moving_joints, seen_by_camera

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.importers import import_parkour
from vpd_mm.importers.parkour import JOINTS
from vpd_mm.importers.pickle_data import read_pickle_data
from vpd_mm.structures import PoseSequence, load_actions, load_classes

FRAMES = 20
#: The 16 joints of the file, in its order.
NAMES = [f'{s}_{j}' for s in 'lr' for j in ('hip', 'knee', 'ankle', 'toes')]
NAMES += [f'{s}_{j}' for s in 'lr' for j in ('shoulder', 'elbow', 'wrist', 'fingers')]


def text(value):
    return b'S' + repr(value if isinstance(value, bytes) else value.encode())[1:].encode() + b'\n'


def python2_pickle(videos):
    """What Python 2 wrote with protocol 0: text and arrays are byte strings."""
    data = b'(d'
    for video, (joints, names, fps) in videos.items():
        sides = b''.join(b'I%d\n' % n for n in joints.shape)
        array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(" + sides
        array += (
            b"tcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n" + text(joints.tobytes()) + b'tb'
        )
        fields = text('joint_names') + b'(' + b''.join(map(text, names)) + b'ts' + text('fps') + b'F%f\ns' % fps
        data += text(video) + b'(d' + text('joint_3d_positions') + array + b's' + fields + b's'
    return data + b'.'


def capture(joints):
    """The 12 joints (S, 12, 3) among the 16 of the file."""
    result = np.ones((len(joints), 16, 3))
    result[:, [NAMES.index(name) for name in JOINTS]] = joints
    return result


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
    root = tmp_path_factory.mktemp('clone')
    (root / 'videos').mkdir()
    for name in ('kv01_PKFC', 'mu02_PKLP'):
        make_video(root / 'videos' / f'{name}.mp4', FRAMES, fps=10)
    return root


def write_joints(root, **changes):
    joints = capture(moving_joints(np.arange(FRAMES + 3.0)))
    videos = dict.fromkeys(('kv01_PKFC', 'mu02_PKLP'), (joints, NAMES, 25.0)) | changes
    (root / 'gt_motion_forces').mkdir(exist_ok=True)
    path = root / 'gt_motion_forces' / 'joint_3d_positions.pkl'
    path.write_bytes(python2_pickle({name: entry for name, entry in videos.items() if entry}))
    return joints


def save_poses(corpus, name='mediapipe', **poses):
    for video, sequence in poses.items():
        sequence.save(corpus.pose_path(name, video))


def test_python2_pickle_is_read_as_data(clone):
    joints = write_joints(clone)
    content = read_pickle_data(clone / 'gt_motion_forces' / 'joint_3d_positions.pkl')['mu02_PKLP']
    assert (content['joint_names'], content['fps']) == (tuple(NAMES), 25.0)
    np.testing.assert_array_equal(content['joint_3d_positions'].array, joints)


def test_labels_then_ground_truth_where_there_are_poses(clone, tmp_path):
    write_joints(clone)
    report = import_parkour(clone, tmp_path / 'c')
    corpus = Corpus.open(tmp_path / 'c')
    path = str(clone / 'videos' / 'kv01_PKFC.mp4')
    assert corpus.video('kv01_PKFC') == VideoInfo('kv01_PKFC', path, 25.0, FRAMES, 64, 48)
    assert load_classes(corpus.classes_path) == ['kong_vault', 'muscle_up', 'pull_up', 'safety_vault']
    actions = {a.video: (a.start_frame, a.end_frame, a.label, a.split) for a in load_actions(corpus.actions_path)}
    assert actions == {'kv01_PKFC': (0, FRAMES, 0, 'test'), 'mu02_PKLP': (0, FRAMES, 1, 'train')}
    assert report.notes[0].startswith('no ground truth yet: its cameras are fitted to poses; run tools/prepare.py')

    corpus.add_videos([VideoInfo('kv01_PKFC', path, 10.0, FRAMES, 64, 48)])  # the rate of the container, by prepare
    poses = seen_by_camera(moving_joints(np.arange(FRAMES) - 0.5))
    save_poses(corpus, kv01_PKFC=poses, mu02_PKLP=PoseSequence(*(a[:4] for a in vars(poses).values())))
    report = import_parkour(clone, tmp_path / 'c')
    assert report.counts['ground truth'] == 1
    assert report.notes[0] == 'left out: mu02_PKLP: 48 joints with a score of 0.5 or more, needs 60'
    assert 'error of the fit itself, on frames left out of it: mean 0.00' in report.notes[-1]
    assert corpus.video('kv01_PKFC').fps == 25
    ground_truth = PoseSequence.load(corpus.root / 'ground_truth' / 'poses' / 'kv01_PKFC.npz')
    assert ground_truth.frame_inds.tolist() == list(range(1, FRAMES))
    np.testing.assert_allclose(ground_truth.keypoints, poses.keypoints[1:], atol=0.5)
    rows = (corpus.root / 'ground_truth' / 'cameras.csv').read_text().splitlines()
    assert rows[1].startswith(f'kv01_PKFC,0.5,{12 * (FRAMES - 1)},0.0')

    before = {p: p.stat().st_mtime_ns for p in corpus.root.rglob('*.npz')}
    import_parkour(clone, tmp_path / 'c')
    assert before == {p: p.stat().st_mtime_ns for p in corpus.root.rglob('*.npz')}
    save_poses(corpus, 'other', kv01_PKFC=poses)
    with pytest.raises(UserError, match='pose sets mediapipe, other; name that of the ground truth with --poses'):
        import_parkour(clone, tmp_path / 'c')
    with pytest.raises(UserError, match="no pose set 'third'; it has mediapipe, other"):
        import_parkour(clone, tmp_path / 'c', poses='third')


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (None, "no entry 'kv01_PKFC'"),
        ((np.ones((23, 16, 3)), NAMES[1:], 25.0), 'joint_names must hold .* missing: l_hip'),
        ((np.ones((23, 15, 3)), NAMES, 25.0), r'joint_3d_positions must be \(frames, 16, 3\) floats, found float64'),
        ((np.full((23, 16, 3), np.nan), NAMES, 25.0), 'needs finite joints at 25 fps, found 25.0 fps'),
        ((np.ones((23, 16, 3)), NAMES, 10.0), 'needs finite joints at 25 fps, found 10.0 fps'),
    ],
)
def test_an_invalid_entry_fails_its_video_alone(clone, tmp_path, entry, message):
    write_joints(clone, kv01_PKFC=entry)
    import_parkour(clone, tmp_path / 'c')
    poses = seen_by_camera(moving_joints(np.arange(FRAMES) - 0.5))
    save_poses(Corpus.open(tmp_path / 'c'), kv01_PKFC=poses, mu02_PKLP=poses)
    report = import_parkour(clone, tmp_path / 'c')
    assert report.counts['ground truth'] == 1
    with pytest.raises(UserError, match=message):
        raise UserError(*report.failures)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match=r'no videos/\*.mp4; pass a clone of'):
        import_parkour(tmp_path, tmp_path / 'c')
    (tmp_path / 'videos').mkdir()
    make_video(tmp_path / 'videos' / 'kv1_ME.mp4', 4)
    with pytest.raises(UserError, match="video 'kv1_ME': names of the data set are <technique><number>_<athlete>"):
        import_parkour(tmp_path, tmp_path / 'c')
