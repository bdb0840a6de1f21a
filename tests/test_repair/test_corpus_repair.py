"""Repair of a whole corpus with a tiny student: files, provenance, reruns, and input that does not fit."""

import tracemalloc

import numpy as np
import pytest
from repair_corpus import make_repairable, save_student
from repair_poses import main
from tiny_corpus import SIDE, make_tiny

from vpd_mm.corpus.stale_files import CorpusInputs
from vpd_mm.engine.locks import file_lock
from vpd_mm.errors import UserError
from vpd_mm.features import joint_features
from vpd_mm.features.feature_extractor import extract_each
from vpd_mm.repair import ORIGINS, RepairedPoses
from vpd_mm.structures import FeatureSequence, PoseSequence
from vpd_mm.structures.npz_io import read_source


@pytest.fixture(scope='module')
def repaired(tmp_path_factory):
    """The corpus and the arguments."""
    folder = tmp_path_factory.mktemp('repair')
    corpus = make_repairable(folder / 'corpus', {'a': 60, 'b': 30})
    return corpus, ['--corpus', str(corpus.root), '--device', 'cpu', '--student', save_student(folder, corpus)]


def test_every_frame_gets_a_pose_and_a_rerun_makes_what_has_changed(repaired, capsys, monkeypatch):
    corpus, args = repaired
    assert not main([*args, '--poses', 'made'])
    printed = capsys.readouterr()
    assert 'made-repaired: 2 videos written, 2 in total\n90 frames repaired, 9 of them without a pose' in printed.out
    assert '81 confident frames' not in printed.out  # some were trained on
    assert 'warning: ' in printed.err  # fewer than 50 are held out
    result = RepairedPoses.load(corpus.pose_path('made-repaired', 'a'))
    assert result.frame_inds.tolist() == list(range(60))
    assert (result.scores[:, 5:][result.frame_inds % 10 != 7] >= 0.5).mean() > 0.9
    assert np.isin(result.origins[7::10, 5:], [ORIGINS.index('student'), ORIGINS.index('interpolated')]).all()
    assert (result.deviations_px[:, 5:] > 0).all()
    assert np.abs(result.keypoints[:, 5:] - SIDE / 2).max() < SIDE
    source = read_source(corpus.pose_path('made-repaired', 'a'))
    assert (source['repaired'], source['checkpoint']) == ('made', 'student.pth')
    assert corpus.pose_names() == ['made', 'made-repaired']
    assert corpus.pose_names(repaired=False) == ['made']
    main([*args, '--poses', 'made', '--preview', 'b'])
    for suffix in ('png', 'mp4'):
        assert (corpus.poses_dir('made-repaired') / 'preview' / f'b.{suffix}').stat().st_size > 1000
    assert 'made-repaired: 0 videos written, 2 in total' in capsys.readouterr().out
    poses = corpus.poses('made', 'b')
    poses.keypoints[3] += 1
    poses.save(corpus.pose_path('made', 'b'))
    with pytest.raises(UserError, match=r'b\.npz has changed since; make it again with tools/repair_poses\.py'):
        CorpusInputs(corpus).check('athlete/poses/made-repaired/b.npz')
    joint_features(corpus, 'made')
    main([*args, '--poses', 'made'])
    assert 'made-repaired: 2 videos written' in capsys.readouterr().out
    monkeypatch.setattr('vpd_mm.repair.corpus_repair.METHOD', 'of a later version')
    for written in (2, 0):
        main([*args, '--poses', 'made'])
        assert f'made-repaired: {written} videos written' in capsys.readouterr().out


def test_a_run_that_was_killed_is_resumed_and_leaves_nothing(repaired, monkeypatch):
    corpus, args = repaired
    parent, made = corpus.root / 'athlete' / 'poses', []

    def record(extractor, store, videos):
        made.append(videos)
        return extract_each(extractor, store, videos)

    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('vpd_mm.repair.corpus_repair.extract_each', record)
    with monkeypatch.context() as patch:
        patch.setattr('vpd_mm.repair.corpus_repair._calibrate', kill)
        with pytest.raises(KeyboardInterrupt):
            main([*args, '--poses', 'made', '--out', 'killed'])
    assert sorted(path.name for path in (parent / '.killed').iterdir()) == ['a.npz', 'b.npz']
    assert 'killed' not in corpus.pose_names()
    (parent / '.killed' / 'b.npz').unlink()
    main([*args, '--poses', 'made', '--out', 'killed'])
    assert made == [['a', 'b'], ['b']]
    assert not (parent / '.killed').exists()
    main([*args, '--poses', 'made', '--out', 'whole'])
    for video in ('a', 'b'):
        poses = [RepairedPoses.load(corpus.pose_path(name, video)) for name in ('killed', 'whole')]
        np.testing.assert_array_equal(poses[0].keypoints, poses[1].keypoints)
    corpus.pose_path('killed', 'a').unlink()
    with file_lock(parent / '.killed.lock'), pytest.raises(UserError, match='another repair_poses writes it'):
        main([*args, '--poses', 'made', '--out', 'killed'])


@pytest.mark.parametrize(
    ('student', 'match'),
    [
        ({'dims': 64}, r'd64\.pth: is a student of D = 64; repair needs one of 2D joints, D = 26'),
        ({'trained_on': None}, 'does not record the videos that it was trained on; train the student again'),
        (
            {'trained_on': ()},
            r"was trained on corpus 'corpus', on no video of .*; repair needs a student of this corpus",
        ),
    ],
)
def test_students_that_do_not_fit(repaired, tmp_path, student, match):
    corpus, args = repaired
    spec = save_student(tmp_path, corpus, f'd{student.get("dims", 26)}', **student)
    with pytest.raises(UserError, match=match):
        main([*args[:-1], spec, '--poses', 'made', '--out', 'other'])


def test_poses_that_do_not_fit(repaired):
    corpus, args = repaired
    with pytest.raises(UserError, match=r'poses/none: no poses of a video with crops; .* pose sets: .*made'):
        main([*args, '--poses', 'none'])
    with pytest.raises(UserError, match='poses/made: holds poses that were not repaired; pass another --out'):
        main([*args, '--poses', 'made', '--out', 'made', '--overwrite'])
    poses = corpus.poses('made', 'a')
    PoseSequence(poses.frame_inds + 1000, poses.keypoints, poses.scores).save(corpus.pose_path('later', 'a'))
    with pytest.raises(UserError, match=r'later/a\.npz: holds no pose of a frame with a crop; poses of other frames\?'):
        main([*args, '--poses', 'later'])
    PoseSequence(poses.frame_inds, poses.keypoints, poses.scores * 0.3).save(corpus.pose_path('faint', 'a'))
    with pytest.raises(UserError, match='poses/faint: the teacher has no confident pose in a frame with a crop'):
        main([*args, '--poses', 'faint'])
    assert not corpus.poses_dir('faint-repaired').exists()


def test_a_long_video_is_smoothed_in_parts(repaired, monkeypatch):
    from vpd_mm.repair import corpus_repair

    corpus, args = repaired
    main([*args, '--poses', 'made', '--out', 'whole'])
    monkeypatch.setattr(corpus_repair, 'PART', 7)
    monkeypatch.setattr(corpus_repair, 'OVERLAP', 60)
    main([*args, '--poses', 'made', '--out', 'parts'])
    whole, parts = (RepairedPoses.load(corpus.pose_path(name, 'a')) for name in ('whole', 'parts'))
    np.testing.assert_allclose(parts.keypoints, whole.keypoints, atol=1e-2)
    np.testing.assert_allclose(parts.deviations_px, whole.deviations_px, rtol=1e-3)
    assert (parts.frame_inds.tolist(), parts.origins.tolist()) == (whole.frame_inds.tolist(), whole.origins.tolist())


def test_noise_is_measured_on_a_sample_of_a_large_corpus(repaired, monkeypatch):
    from vpd_mm.repair import corpus_repair

    corpus, args = repaired
    sizes, calibrate = [], corpus_repair.calibrate
    monkeypatch.setattr(corpus_repair, 'NUM_SAMPLED', 45)
    monkeypatch.setattr(
        corpus_repair, 'calibrate', lambda samples: sizes.extend(map(len_of, samples)) or calibrate(samples)
    )
    main([*args, '--poses', 'made', '--out', 'sampled'])
    assert sizes == [30, 15]
    assert len(RepairedPoses.load(corpus.pose_path('sampled', 'a'))) == 60


@pytest.mark.full
def test_memory_hardly_grows_with_the_length_of_a_video(repaired, tmp_path, monkeypatch):
    from vpd_mm.repair import corpus_repair

    for name, value in {'NUM_SAMPLED': 200, 'PART': 200, 'OVERLAP': 50}.items():
        monkeypatch.setattr(corpus_repair, name, value)
    peaks = []
    for num_frames in (800, 800, 4800):  # the first one warms up
        folder = tmp_path / str(len(peaks))
        corpus = make_tiny(folder, {'a': num_frames})
        made = PoseSequence.load(corpus.root / 'ground_truth' / 'a.npz')
        made.save(corpus.pose_path('made', 'a'))
        student = save_student(folder, corpus, trained_on=('a',))
        feats = np.random.default_rng(0).normal(size=(num_frames, 2, 26)).astype(np.float32)
        features = FeatureSequence(np.arange(num_frames), feats, np.ones(num_frames, np.float32))
        monkeypatch.setattr(corpus_repair, 'extract_each', lambda *args, own=features: [('a', own)])
        tracemalloc.start()
        main(['--corpus', str(corpus.root), '--poses', 'made', '--student', student])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(RepairedPoses.load(corpus.pose_path('made-repaired', 'a'))) == num_frames
    assert (peaks[2] - peaks[1]) / 4000 < 1000, peaks  # bytes a frame


def len_of(poses):
    return len(poses.steps)
