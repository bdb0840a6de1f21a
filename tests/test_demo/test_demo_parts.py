"""Sizes, text and single steps of the demonstration, and the inputs of the one on a real video."""

import json
import zipfile

import demo
import demo_real
import numpy as np
import pytest
from demo_parts import report
from rich.console import Console
from sequence_corpus import make_corpus

from vpd_mm.engine.config import read_config
from vpd_mm.errors import UserError
from vpd_mm.experiments import read_spec
from vpd_mm.structures import Action, AthleteTrack
from vpd_mm.synthetic.corpus import SportRecipe, plan_videos
from vpd_mm.synthetic.routine import CLASSES


@pytest.mark.parametrize('scale', demo.CONFIGS)
def test_the_config_of_a_scale_is_a_comparison(scale):
    cfg = read_config(demo.CONFIGS[scale])
    spec = read_spec(cfg)
    table, detection = spec.sections
    assert [m.name for m in table.methods] == [*cfg.features, 'ST-GCN', 'TSN, crops']
    assert [m.features for m in detection.methods] == list(cfg.features.values())
    assert [student.run for student in cfg.students] == ['vpd', 'vi-vpd']
    assert set(cfg.videos) == {'train', 'val', 'test', 'unlabelled'}


def test_scale_small_trains_the_student_on_160000_crops():
    cfg = read_config(demo.CONFIGS['small'])
    options = cfg.students[0].options
    assert options['train_cfg.max_epochs'] * options['train_dataloader.sampler.num_samples'] == 160_000
    assert (cfg.ks, cfg.subsets, cfg.precision_ks) == ([8], 5, [1, 5, 10])


@pytest.mark.parametrize('scale', ['small', 'full'])
def test_training_videos_hold_a_tenth_more_than_the_largest_k_needs(scale):
    cfg = read_config(demo.CONFIGS[scale])
    names = [skill.name for plan in plan_videos(SportRecipe(0), 'train', cfg.videos.train) for skill in plan.skills]
    assert len(names) >= int(1.1 * max(cfg.ks) * len(CLASSES))
    assert min(names.count(name) for name in CLASSES) >= max(cfg.ks)


def test_actions_tracked_in_half_of_their_frames_are_used(tmp_path):
    actions = [
        Action('a', 'v', 0, 10, 0, 'train'),
        Action('b', 'v', 16, 26, 0, 'train'),
        Action('c', 'w', 0, 9, 0, 'val'),
    ]
    corpus = make_corpus(tmp_path / 'c', {'v': (25.0, 60)}, actions[:2])
    inds = np.array([0, 1, 2, 3, 4, 22, 23, 24, 25])
    AthleteTrack(inds, np.tile(np.float32([0, 0, 9, 9]), (9, 1)), np.ones(9, np.float32)).save(corpus.track_path('v'))
    assert [action.action_id for action in demo.tracked_actions(corpus, actions)] == ['a']


def test_the_goal_compares_2d_vpd_with_the_joints_at_the_largest_k(monkeypatch):
    monkeypatch.setattr(report, 'load_actions', lambda path: [])
    means = {'2D joints (teacher)': (20.5, 42.0), '2D-VPD': (30.5, 52.5)}
    rows = [
        {'method': method, 'k': k, 'top1_mean': mean, 'top1_std': 1.0, 'runs': 2}
        for method, pair in means.items()
        for k, mean in zip((2, 8), pair, strict=True)
    ]
    monkeypatch.setattr(report, 'load_classes', lambda path: [])
    corpus = type('Corpus', (), {'actions_path': None, 'classes_path': None})
    blocks = list(report.recognition(corpus, rows, []))
    goals = [block for block in blocks if isinstance(block, report.Verdict)]
    text = 'Goal: 2D-VPD is at least 5 points above 2D joints (teacher) at k = 8. Reached: +10.5 points.'
    assert goals == [report.Verdict('ok', text)]
    (table,) = [block for block in blocks if isinstance(block, report.Table)]
    assert table.rows[0] == ('2D joints (teacher)', 2, '20.5', '1.0', 2)


@pytest.mark.parametrize(('error', 'level'), [(0.5, 'ok'), (0.9, 'warn'), (0.6, 'warn')])
def test_a_student_is_good_if_it_beats_the_teacher_and_a_constant_pose(error, level):
    chance, methods = {'clips': 20, 'chance': 50.0, 'majority': 50.0}, ('2D joints', '2D-VPD')
    results = {
        'scale': 'small',
        'gap_filling': {'teacher_error': 0.8, 'student_error': error, 'frames': 9},
        'recognition': [
            {'method': name, 'k': 4, 'top1_mean': mean, **chance} for name, mean in zip(methods, (60, 90), strict=True)
        ],
        'retrieval': [{'method': name, 'precision@1': 0.5, 'queries': 20, 'chance': 0.5} for name in methods],
        'detection': [{'method': name, 'AP@0.5': ap} for name, ap in zip(methods, (0.2, 0.3), strict=True)],
    }
    verdicts = report.summary(results, constant=0.7)
    assert {name: verdict.level for name, verdict in verdicts.items()} == {
        'gaps': level,
        'recognition': 'ok',  # 18 of 20, of two classes
        'retrieval': 'warn',  # at chance
        'detection': 'ok',
    }
    assert '20 clips (95 % interval 69.9 to 97.2, chance 50.0)' in verdicts['recognition'].text


def test_boxes_of_the_real_video_follow_the_key_frames():
    keys = json.loads(demo_real.BOXES.read_text())
    track = demo_real.key_frame_track()
    assert track.frame_inds.tolist() == list(range(225))
    for frame_ind, *box in keys['boxes']:
        np.testing.assert_allclose(track.boxes[frame_ind], box)
    np.testing.assert_allclose(track.boxes[2], np.mean([keys['boxes'][0][1:], keys['boxes'][1][1:]], axis=0))
    width, height = keys['size']
    assert (track.boxes[:, :2] >= 0).all()
    assert (track.boxes[:, 2:] <= (width, height)).all()
    # the athlete is about 380 px high and never moves by more than a third of that between frames
    assert np.abs(np.diff((track.boxes[:, :2] + track.boxes[:, 2:]) / 2, axis=0)).max() < 130


def test_a_missing_wheel_is_refused_in_one_line_with_a_hint(tmp_path):
    (tmp_path / 'wheels').mkdir()
    with pytest.raises(UserError, match=r'sports2d==0\.8\.34.*--wheels FOLDER .*make demo needs no download') as caught:
        demo_real.run_real(tmp_path / 'run', 1, tmp_path / 'wheels', 'cpu', 1, Console(quiet=True))
    assert '\n' not in str(caught.value)
    with pytest.raises(UserError, match=r'mediapipe==0\.10\.21.*--wheels FOLDER'):
        demo_real.pip('install', '--target', str(tmp_path), *demo_real.POSE_WHEELS, wheels=tmp_path / 'wheels')
    with pytest.raises(UserError, match='nowhere: no such folder'):
        demo_real.run_real(tmp_path / 'run', 1, tmp_path / 'nowhere', 'cpu', 1, Console(quiet=True))


def test_another_video_in_the_wheel_is_refused(tmp_path):
    wheel = tmp_path / 'wheels' / 'sports2d-0.8.34-py3-none-any.whl'
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr('Sports2D/Demo/demo.mp4', b'no video')
        about = {
            'WHEEL': 'Wheel-Version: 1.0\nTag: py3-none-any\n',
            'METADATA': 'Metadata-Version: 2.1\nName: sports2d\nVersion: 0.8.34\n',
            'RECORD': '',
        }
        for name, text in about.items():
            archive.writestr(f'sports2d-0.8.34.dist-info/{name}', text)
    with pytest.raises(UserError, match='another video'):
        demo_real.get_video(tmp_path / 'video.mp4', tmp_path / 'run', wheel.parent)
    assert not (tmp_path / 'video.mp4').exists()
