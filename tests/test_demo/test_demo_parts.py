"""Sizes, results and the real demonstration's inputs."""

import json
import zipfile

import numpy as np
import pytest
from demo_old import demo_real
from demo_old.demo import run_demo
from demo_old.demo_report import points_above_joints
from demo_old.demo_results import demo_results
from demo_old.demo_scales import SCALES, scale_named

from vpd_mm.errors import UserError
from vpd_mm.synthetic.corpus import SportRecipe, plan_films
from vpd_mm.synthetic.routine import CLASSES


@pytest.mark.parametrize('name', ['small', 'full'])
def test_training_films_hold_a_tenth_more_than_the_largest_k_needs(name):
    scale, recipe = scale_named(name), SportRecipe(0)
    count = scale.films(recipe)['train']
    shown = [skill for plan in plan_films(recipe, 'train', count) for skill in plan.skills]
    assert len(shown) >= int(1.1 * max(scale.ks) * len(CLASSES))
    assert min([s.name for s in shown].count(c) for c in CLASSES) >= max(scale.ks)


def test_unknown_scale_and_other_numbers_are_one_line(tmp_path):
    with pytest.raises(UserError, match="scale 'huge': must be one of tiny, small, full"):
        run_demo(tmp_path / 'run', 'huge')
    with pytest.raises(UserError, match='jobs must be 1 or more, found 0'):
        run_demo(tmp_path / 'run', 'tiny', jobs=0)
    with pytest.raises(UserError, match='seed must be a whole number'):
        run_demo(tmp_path / 'run', 'tiny', seed=-1)
    assert not (tmp_path / 'run').exists()


STAGES = {
    'recognize-teacher-joints': {'method': '2D joints (teacher)', 'top1': {'8': [40.0, 44.0], '2': [20.0, 21.0]}},
    'recognize-features-vpd': {'method': '2D-VPD', 'top1': {'8': [50.0, 55.0], '2': [30.0, 31.0]}},
    'gaps': {'teacher_error_unsure': 0.61, 'student_error_unsure': 0.4, 'frames_unsure': 12.0},
    'retrieve-features-vpd': {'method': '2D-VPD', 'precision@1': 0.5},
    'detect-features-vpd': {'method': '2D-VPD', 'mAP': 0.25},
}


def test_results_have_the_promised_shape():
    results = demo_results(STAGES, {'sport': 1.5}, 'small', 3)
    row = {'method': '2D joints (teacher)', 'k': 2, 'top1_mean': 20.5, 'top1_std': 0.71, 'runs': 2}
    assert results['recognition'][0] == row
    assert [(r['method'], r['k'], r['top1_mean']) for r in results['recognition'][1:]] == [
        ('2D joints (teacher)', 8, 42.0),
        ('2D-VPD', 2, 30.5),
        ('2D-VPD', 8, 52.5),
    ]
    assert results['gap_filling'] == {'teacher_error': 0.61, 'student_error': 0.4, 'frames': 12}
    assert results['retrieval'] == [STAGES['retrieve-features-vpd']]
    assert results['detection'] == [STAGES['detect-features-vpd']]
    assert (results['seconds'], results['seed']) == ({'sport': 1.5}, 3)
    assert results['versions']['mmpose'].startswith('1.')
    assert json.loads(json.dumps(results)) == results
    assert points_above_joints(results['recognition']) == (8, 10.5)


def test_no_unsure_frame_is_no_number():
    gaps = demo_results({'gaps': {'student_error_sure': 0.1}}, {}, 'tiny', 0)['gap_filling']
    assert gaps == {'teacher_error': None, 'student_error': None, 'frames': 0}


def test_the_mans_boxes_follow_the_key_frames():
    keys = json.loads(demo_real._BOXES.read_text())
    track = demo_real.key_frame_track()
    assert track.frame_inds.tolist() == list(range(225))
    for frame, *box in keys['boxes']:
        np.testing.assert_allclose(track.boxes[frame], box)
    np.testing.assert_allclose(track.boxes[2], np.mean([keys['boxes'][0][1:], keys['boxes'][1][1:]], axis=0))
    width, height = keys['size']
    assert (track.boxes[:, :2] >= 0).all()
    assert (track.boxes[:, 2:] <= (width, height)).all()
    # he stands about 380 px high and never moves by more than a third of that between frames
    assert np.abs(np.diff((track.boxes[:, :2] + track.boxes[:, 2:]) / 2, axis=0)).max() < 130


def test_a_wheel_that_cannot_be_had_is_one_line_with_the_cure(tmp_path):
    (tmp_path / 'wheels').mkdir()
    with pytest.raises(UserError, match=r'sports2d==0\.8\.34.*--wheels FOLDER; make demo needs no download') as caught:
        demo_real.run_real(tmp_path / 'run', 1, tmp_path / 'wheels')
    assert '\n' not in str(caught.value)
    with pytest.raises(UserError, match=r'mediapipe==0\.10\.21.*--wheels FOLDER'):
        demo_real.get_estimator(tmp_path / 'site', tmp_path / 'wheels')
    with pytest.raises(UserError, match='nowhere: no such folder'):
        demo_real.run_real(tmp_path / 'run', 1, tmp_path / 'nowhere')


def test_another_film_is_refused(tmp_path):
    wheel = tmp_path / 'wheels' / 'sports2d-0.8.34-py3-none-any.whl'
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr('Sports2D/Demo/demo.mp4', b'no film')
        archive.writestr('sports2d-0.8.34.dist-info/WHEEL', 'Wheel-Version: 1.0\nTag: py3-none-any\n')
        archive.writestr(
            'sports2d-0.8.34.dist-info/METADATA', 'Metadata-Version: 2.1\nName: sports2d\nVersion: 0.8.34\n'
        )
        archive.writestr('sports2d-0.8.34.dist-info/RECORD', '')
    with pytest.raises(UserError, match='another film'):
        demo_real.get_film(tmp_path / 'film.mp4', tmp_path / 'run', wheel.parent)
    assert not (tmp_path / 'film.mp4').exists()


def test_scales_are_one_table():
    assert list(SCALES) == ['tiny', 'small', 'full']
    assert SCALES['small'].subsets == 5
    assert 8 in SCALES['small'].ks
