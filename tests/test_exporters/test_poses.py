"""Exported poses come back through the importers with the same values."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.exporters import FORMATS, export_poses
from vpd_mm.exporters.poses import CSV_HEADER, height_px
from vpd_mm.importers import read_poses
from vpd_mm.importers.pose_tables import parse_pose_table
from vpd_mm.structures import AthleteTrack, FrameTimes, PoseSequence

NUM_FRAMES, FRAMES = 8, (1, 2, 3, 6)
HEADER = ','.join(CSV_HEADER)
EDGES = np.array([0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9])


def standing(height=100.0):
    """(17, 2): an athlete of ``height`` px, with shoulders at 0.818 and ankles at 0.039 of it above y = 150."""
    parts = [0.936, *[0.95] * 4, *[0.818] * 2, 0.63, 0.63, 0.485, 0.485, 0.53, 0.53, 0.285, 0.285, 0.039, 0.039]
    x = 60 + np.array([0, 2, -2, 4, -4] + [9, -9] * 6)
    return np.stack([x, 150 - height * np.array(parts)], axis=1).astype(np.float32)


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    corpus = Corpus.create(tmp_path_factory.mktemp('exports') / 'corpus')
    corpus.add_videos([VideoInfo('Kür 1', '', 10.0, NUM_FRAMES, 200, 160)])
    rng = np.random.default_rng(0)
    keypoints = standing() + rng.normal(0, 0.5, (len(FRAMES), 17, 2)).astype(np.float32)
    scores = rng.uniform(0.5, 1, (len(FRAMES), 17)).astype(np.float32)
    scores[1, 9] = 0
    poses = PoseSequence(np.array(FRAMES), keypoints, scores)
    poses.save(corpus.pose_path('made', 'Kür 1'))
    corpus.save_times('Kür 1', FrameTimes.variable(EDGES))
    return corpus


@pytest.mark.parametrize('form', FORMATS)
def test_round_trip(corpus, tmp_path, form):
    done = []
    (path,) = export_poses(corpus, 'made', form, tmp_path, on_progress=lambda *args: done.append(args))
    assert path.exists()
    assert done == [(1, 1)]
    poses, info = corpus.poses('made', 'Kür 1'), corpus.video('Kür 1')
    boxes = np.concatenate([poses.keypoints.min(axis=1), poses.keypoints.max(axis=1)], axis=1)
    track = AthleteTrack(poses.frame_inds, boxes, np.ones(len(FRAMES), np.float32))
    back = read_poses(tmp_path, 'Kür 1', track, info)
    np.testing.assert_array_equal(back.frame_inds, FRAMES)
    seen = poses.scores > 0
    np.testing.assert_allclose(back.keypoints[seen], poses.keypoints[seen], atol=1e-3)
    np.testing.assert_allclose(back.scores, seen if form == 'trc' else poses.scores, atol=1e-5)


def test_openpose_has_a_file_for_every_frame(corpus, tmp_path):
    (folder,) = export_poses(corpus, 'made', 'openpose', tmp_path)
    assert sorted(path.name for path in folder.iterdir())[5] == 'Kür 1_000000000005_keypoints.json'
    files = [json.loads(path.read_text()) for path in sorted(folder.iterdir())]
    assert [len(file['people']) for file in files] == [0, 1, 1, 1, 0, 0, 1, 0]
    assert files[0]['version'] == 1.3
    body = np.reshape(files[1]['people'][0]['pose_keypoints_2d'], (25, 3))
    np.testing.assert_allclose(body[1], (*body[[2, 5], :2].mean(axis=0), body[[2, 5], 2].min()), atol=1e-4)
    assert body[2, 0] < body[5, 0]  # BODY_25 has the right shoulder first; it is at the smaller x here
    assert not body[19:].any()


def trc_table(path):
    """Read a TRC as Sports2D does: names on line 4, values from line 6."""
    lines = path.read_text().splitlines()
    names = [name for name in lines[3].split('\t')[2::3] if name]
    return names, pd.read_csv(io.StringIO('\n'.join(lines[4:])), sep='\t')


def test_trc_is_a_table_of_sports2d(corpus, tmp_path):
    (path,) = export_poses(corpus, 'made', 'trc', tmp_path)
    assert path.name == 'Kür 1_px.trc'
    names, table = trc_table(path)
    assert len(table) == NUM_FRAMES
    np.testing.assert_allclose(table.iloc[:, 1], EDGES[:-1])
    at = 2 + 3 * names.index('RKnee')
    expected = corpus.poses('made', 'Kür 1').keypoints[0, 14]
    np.testing.assert_allclose(table.iloc[1, at : at + 3].astype(float), [*expected, 0], rtol=1e-5)
    assert table.iloc[0, 2:].isna().all()


def test_trc_in_metres_has_the_height_of_the_athlete_and_y_up(corpus, tmp_path):
    (path,) = export_poses(corpus, 'made', 'trc', tmp_path, height=1.7)
    assert path.name == 'Kür 1_m.trc'
    names, table = trc_table(path)
    y = {name: float(table.iloc[1, 3 + 3 * i]) for i, name in enumerate(names)}
    assert y['LShoulder'] - y['LAnkle'] == pytest.approx(0.779 * 1.7, rel=0.03)
    assert y['LAnkle'] == pytest.approx((160 - (150 - 3.9)) / 100 * 1.7, rel=0.1)


def test_height_is_that_of_the_segments():
    poses = PoseSequence(np.arange(3), np.stack([standing(200)] * 3), np.ones((3, 17), np.float32))
    assert height_px(poses, 'v') == pytest.approx(200, rel=1e-3)


def test_csv_has_times_and_empty_cells(corpus, tmp_path):
    (path,) = export_poses(corpus, 'made', 'csv', tmp_path)
    rows = list(csv.DictReader(path.open()))
    assert [(row['frame'], float(row['time_sec'])) for row in rows] == [('1', 0.1), ('2', 0.2), ('3', 0.3), ('6', 0.7)]
    assert rows[1]['left_wrist_x'] == ''


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('other', 'csv'), 'other: no poses; pose sets of .*: made'),
        (('made', 'csv', ['unknown']), 'unknown.npz: no such poses'),
        (('made', 'csv', (), 1.7), 'height 1.7: must be 0.5 to 3 m, and is for the format trc'),
        (('made', 'trc', (), 170), 'height 170: must be 0.5 to 3 m'),
    ],
)
def test_errors(corpus, tmp_path, arguments, message):
    poses, form, *others = arguments
    options = dict(zip(('videos', 'height'), others, strict=False))
    with pytest.raises(UserError, match=message):
        export_poses(corpus, poses, form, tmp_path, **options)


def test_files_of_others_are_kept(corpus, tmp_path):
    path = tmp_path / 'Kür 1.csv'
    path.write_text('mine')
    with pytest.raises(UserError, match='exists and was not written by this tool'):
        export_poses(corpus, 'made', 'csv', tmp_path)
    export_poses(corpus, 'made', 'csv', tmp_path, overwrite=True)
    export_poses(corpus, 'made', 'csv', tmp_path)  # ours may be replaced


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('v.csv', 'frame,nose_x\n', 'is no table of poses; it lacks the column nose_y'),
        ('v.csv', '', 'is no table of poses; it lacks the column frame'),
        ('v.csv', f'{HEADER}\nx,1,2,1\n', "v.csv:2: must hold numbers, found 'x'"),
        ('v.csv', f'{HEADER}\n1.5,1,2,1\n', 'v.csv:2: frame must be a whole number'),
        ('v.csv', f'{HEADER}\n1,1,2,1,1\n1,1,2,1,1\n', 'v.csv:3: frame 1 occurs twice'),
        ('v_px.trc', 'a\nb\n', 'is no table of poses; it lacks the marker Nose'),
    ],
)
def test_damaged_tables(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        list(parse_pose_table(tmp_path / name))
