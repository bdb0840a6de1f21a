import numpy as np
import pytest

from benchmarks.teacher_metrics import frame_pck, joint_hits
from benchmarks.vipe import evaluate
from vpd_mm.engine.checkpoint_packer import MAX_BYTES, check_packed
from vpd_mm.errors import UserError
from vpd_mm.synthetic.checkpoints import packed_model, packed_source
from vpd_mm.synthetic.generic import GenericRecipe, generic_images
from vpd_mm.teacher.joint_feature import VPD_JOINTS


@pytest.fixture(scope='module')
def teacher():
    pytest.importorskip('mmpose')
    from vpd_mm.teacher.pose_teacher import PoseTeacher

    return PoseTeacher(*packed_model('teacher'), device='cpu')


@pytest.fixture(scope='module')
def results(teacher):
    """Poses of the people of 8 new images: predicted, scores, ground truth, visibility."""
    rows = []
    for image, people in generic_images(GenericRecipe(seed=77), 'val', 8):
        people = [person for person in people if (person.visibility == 2).sum() >= 10]
        predicted, scores = teacher.infer([image] * len(people), np.array([p.box for p in people]).reshape(-1, 4))
        rows += [(f, s, p.keypoints, p.visibility) for f, s, p in zip(predicted, scores, people, strict=True)]
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(('name', 'limit'), [('teacher', MAX_BYTES), ('vipe', 8_000_000)])
def test_checkpoint_digest(tmp_path, name, limit):
    _, checkpoint = packed_model(name)
    content = check_packed(checkpoint).read_bytes()
    assert len(content) <= limit
    note = check_packed(checkpoint).with_suffix('.sha256').read_text()
    copy = tmp_path / note.split()[1]
    copy.with_suffix('.sha256').write_text(note)
    copy.write_bytes(content)
    assert check_packed(copy) == copy
    copy.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match='SHA-256'):
        check_packed(copy)


def test_source_names_config_and_checkpoint():
    assert packed_source('teacher') == 'mmpose:{}:{}'.format(*packed_model('teacher'))


def test_pck_on_everyday_people(results):
    predicted, _, ground_truth, visibility = results
    assert len(predicted) >= 8
    pck = frame_pck(joint_hits(predicted, ground_truth), visibility[:, VPD_JOINTS] > 0)
    assert pck.mean() > 0.45


def test_distinguishes_left_from_right(results):
    predicted, _, ground_truth, _ = results
    sides = [5, 6, 11, 12]
    swapped = [6, 5, 12, 11]
    direct = np.linalg.norm(predicted[:, sides] - ground_truth[:, sides], axis=-1).mean(axis=1)
    mirrored = np.linalg.norm(predicted[:, swapped] - ground_truth[:, sides], axis=-1).mean(axis=1)
    apart = np.linalg.norm(ground_truth[:, 5] - ground_truth[:, 6], axis=-1) > 5
    assert apart.sum() >= 5
    assert (direct < mirrored)[apart].mean() > 0.6


def test_scores_are_lower_upside_down(teacher):
    upright, turned = [], []
    for image, people in generic_images(GenericRecipe(seed=78), 'val', 6):
        for person in people:
            box = person.box.astype(np.float32)
            upright.append(teacher.infer([image], box[None])[1][0, VPD_JOINTS].mean())
            h = len(image)
            box = box[[0, 3, 2, 1]] * np.float32([1, -1, 1, -1]) + np.float32([0, h, 0, h])
            turned.append(teacher.infer([image[::-1]], box[None])[1][0, VPD_JOINTS].mean())
    assert min(turned) >= 0
    assert max(upright) <= 1
    assert np.mean(turned) < np.mean(upright) - 0.05


@pytest.fixture(scope='module')
def metrics():
    return evaluate(*packed_model('vipe'), num_poses=300)


def test_retrieves_poses_across_cameras_more_often_than_joints(metrics):
    """On 300 poses; on 2000, the test set, twice as often (README beside the checkpoint)."""
    assert metrics['gain'] >= 1.6
    hits = [metrics[f'hit@{k}'] for k in (1, 5, 10, 20)]
    assert np.all(np.diff(hits) >= 0)
    assert hits[2] > 0.92


def test_mirrored_poses_are_usually_farther_than_another_view(metrics):
    """On 300 poses; on the test set in 0.9 of the cases."""
    assert metrics['chirality'] >= 0.8
