"""build_corpus: results, reruns, division of the work."""

import json
import re
from collections import defaultdict

import numpy as np
import pytest
from media import (
    FRAMES,
    build_corpus,
    corpus_content,
    cut_picture,
    frame_picture,
    make_unreadable,
    make_video,
    write_boxes,
    write_poses,
)

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.engine.progress import ProgressBars
from vpd_mm.errors import UserError
from vpd_mm.prepare.corpus_builder import run_jobs
from vpd_mm.prepare.options import PrepareSettings, split_model
from vpd_mm.prepare.sources import Job, find_videos


def test_boxes_and_poses_from_files(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    boxes, poses = write_boxes(tmp_path / 'boxes', 'jump'), write_poses(tmp_path / 'poses', 'jump')
    report = build_corpus([video], tmp_path / 'c', boxes=str(boxes), poses=str(poses), sport='test')
    [row] = report.videos
    assert (row.num_frames, row.tracked, row.crops, row.posed, row.confident) == (FRAMES, 8, 8, 6, 6)
    assert report.failures == []
    corpus = Corpus.open(tmp_path / 'c')
    assert corpus.sport == 'test'
    info = corpus.video('jump')
    assert (info.path, info.fps, info.num_frames, info.width, info.height) == (str(video), 25.0, FRAMES, 64, 48)
    assert corpus.track('jump').frame_inds.tolist() == list(range(2, 10))
    assert corpus.poses('files', 'jump').frame_inds.tolist() == list(range(3, 9))
    store = CropStore(corpus.crops_dir)
    header = store.header('jump')
    assert header.frame_inds.tolist() == list(range(2, 10))
    left, top, side = header.windows[0].tolist()
    assert (left, top, side) == (22, 5, 36)
    assert header.flow == {'method': 'dis', 'clip': 20.0, 'subtract_median': False}
    # the crop shows the pixels of its window
    x, y = 50, 30
    at = (int((y - top + 0.5) * 128 / side), int((x - left + 0.5) * 128 / side))
    assert np.abs(store.crop('jump', 5)[at].astype(int) - frame_picture(5)[y, x]).max() < 60
    # frame 1 has no box but is decoded, so frame 2 has flow: the square moves right
    assert store.flow('jump', 2)[..., 0].max() > 1


def test_times_of_a_variable_rate_are_kept(tmp_path):
    ticks = [*range(6), *range(7, 19, 2)]  # 25, then 12.5 frames a second
    for name in ('jump.mp4', 'jump.mkv'):
        video = make_video(tmp_path / name, FRAMES, ticks=ticks)
        build_corpus([video], tmp_path / name.replace('.', '_'), flow='none')
        corpus = Corpus.open(tmp_path / name.replace('.', '_'))
        row = corpus.video('jump')
        assert row.fps == pytest.approx(11 / (17 / 25))
        assert corpus.times(row).seconds(np.arange(13)).tolist() == pytest.approx([t / 25 for t in (*ticks, 19)])
    resampled = Corpus.open(tmp_path / 'jump_mp4')
    resampled.save_times('jump', VideoReader(video, fps=25).times)
    assert not resampled.times_path('jump').exists()


def test_first_frame_has_no_flow_and_full_boxes_cover_the_frame(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    report = build_corpus([video], tmp_path / 'c')
    assert (report.videos[0].tracked, report.videos[0].crops, report.videos[0].posed) == (FRAMES, FRAMES, None)
    store = CropStore(tmp_path / 'c' / 'athlete' / 'crops')
    assert not store.flow('jump', 0).any()
    assert store.flow('jump', 1).any()
    track = Corpus.open(tmp_path / 'c').track('jump')
    np.testing.assert_array_equal(track.boxes, np.tile(np.float32([0, 0, 64, 48]), (FRAMES, 1)))


def test_first_frame_of_a_shot_ignores_the_shot_before(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES, picture=cut_picture)
    (tmp_path / 'boxes' / 'jump').mkdir(parents=True)
    boxes = [[i, [4, 4, 10, 10] if i < 6 else [32, 20, 20, 20]] for i in range(FRAMES)]
    (tmp_path / 'boxes' / 'jump' / 'boxes.json').write_text(json.dumps(boxes))
    build_corpus([video], tmp_path / 'c', boxes=str(tmp_path / 'boxes'))
    store = CropStore(tmp_path / 'c' / 'athlete' / 'crops')
    header = store.header('jump')
    assert header.starts.tolist() == [0, 6]
    # box (x, y, 20, 20), padded by 2 px; with the box before it would be a square of 48
    assert header.windows[5:8].tolist() == [[3, 3, 12], [30, 18, 24], [30, 18, 24]]
    assert [bool(store.flow('jump', i).any()) for i in (0, 6, 7)] == [False, False, True]


def test_rerun_skips_complete_videos_and_adds_poses_later(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    boxes, poses = write_boxes(tmp_path / 'boxes', 'jump'), write_poses(tmp_path / 'poses', 'jump', score=0.4)
    build_corpus([video], tmp_path / 'c', boxes=str(boxes))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / 'c' / 'athlete').rglob('*') if p.suffix in ('.npz', '.lmdb')}
    report = build_corpus([video], tmp_path / 'c', boxes=str(boxes), poses=str(poses), pose_name='late')
    assert [(r.decoded, r.posed, r.confident) for r in report.videos] == [(0, 6, 0)]
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert Corpus.open(tmp_path / 'c').pose_names() == ['late']
    whole = build_corpus([video], tmp_path / 'd', boxes=str(boxes), poses=str(poses), pose_name='late')
    assert whole.videos[0].decoded == FRAMES
    assert corpus_content(tmp_path / 'c') == corpus_content(tmp_path / 'd')


def test_several_athletes_of_one_file(tmp_path):
    video = make_video(tmp_path / 'match.mp4', FRAMES)
    boxes = write_boxes(tmp_path / 'boxes', 'front__match', range(FRAMES))
    write_boxes(boxes, 'back__match', range(4), box=(2, 2, 12, 12))
    poses = write_poses(tmp_path / 'poses', 'front__match')
    write_poses(poses, 'back__match', range(2))
    report = build_corpus([video], tmp_path / 'c', boxes=str(boxes), poses=str(poses))
    assert {r.video: (r.crops, r.posed) for r in report.videos} == {'back__match': (4, 2), 'front__match': (12, 6)}
    rows = Corpus.open(tmp_path / 'c').videos()
    assert [row.path for row in rows.values()] == [str(video)] * 2
    again = build_corpus([video], tmp_path / 'c', boxes=str(boxes), poses=str(poses))
    assert [r.decoded for r in again.videos] == [0, 0]


def test_workers_and_ranks_make_the_same_corpus(tmp_path, monkeypatch):
    for i in range(5):
        make_video(tmp_path / 'videos' / f'v{i}.mp4', 6 + i)
    build_corpus([tmp_path / 'videos'], tmp_path / 'one')
    report = build_corpus([tmp_path / 'videos'], tmp_path / 'two', workers=2)
    assert [r.video for r in report.videos] == [f'v{i}' for i in range(5)]
    assert len(list((tmp_path / 'two' / 'athlete' / 'crops').glob('*.lmdb'))) == 2
    for rank in range(2):
        monkeypatch.setenv('RANK', str(rank))
        monkeypatch.setenv('WORLD_SIZE', '2')
        done = build_corpus([tmp_path / 'videos'], tmp_path / 'ranks')
        assert [r.video for r in done.videos] == [f'v{i}' for i in range(5)][rank::2]
    expected = corpus_content(tmp_path / 'one')
    assert corpus_content(tmp_path / 'two') == expected
    assert corpus_content(tmp_path / 'ranks') == expected


def test_progress_of_worker_processes_reaches_the_parent(tmp_path):
    class RecordedBars(ProgressBars):
        calls = defaultdict(list)

        def add(self, description, unit=''):
            return lambda done, total: self.calls[description].append((done, total))

    jobs = [Job(make_video(tmp_path / f'{name}.mp4', FRAMES)) for name in ('a', 'b', 'c')]
    corpus = Corpus.create(tmp_path / 'c')
    shards = [corpus.crops_dir / f'shard-{i}.lmdb' for i in range(2)]
    results = dict(run_jobs(jobs, PrepareSettings(corpus.root, 'full', 'none'), shards, RecordedBars()))
    assert {job.name: reports[0].crops for job, reports in results.items()} == dict.fromkeys('abc', FRAMES)
    for name in 'abc':
        counts = RecordedBars.calls[name]
        assert any(total == FRAMES and done >= 1 for done, total in counts)
        assert counts[-1] == (1, 1), 'the bar of a finished video disappears'


def test_options_reach_the_store(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES, size=(480, 352))
    build_corpus(
        [video], tmp_path / 'c', size=64, full_frame=True, flow='farneback', subtract_median=True, fps=12.5, name='n'
    )
    store = CropStore(tmp_path / 'c' / 'athlete' / 'crops')
    header = store.header('jump')
    assert (header.size, header.frame_shape) == (64, (320, 436))
    assert header.flow == {'method': 'farneback', 'clip': 20.0, 'subtract_median': True}
    assert store.frame_image('jump', 2).shape == (320, 436, 3)
    corpus = Corpus.open(tmp_path / 'c')
    assert (corpus.name, corpus.fps, corpus.video('jump').fps) == ('n', 12.5, 12.5)
    assert len(header) == corpus.video('jump').num_frames < FRAMES
    build_corpus([video], tmp_path / 'd', flow='none')
    assert CropStore(tmp_path / 'd' / 'athlete' / 'crops').read('jump', 3).flow is None


def test_other_options_are_refused(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    build_corpus([video], tmp_path / 'c')
    new = make_video(tmp_path / 'new.mp4', FRAMES)
    for options in ({'size': 64}, {'flow': 'none'}, {'subtract_median': True}, {'full_frame': True}):
        for redo in ([], ['jump']):
            with pytest.raises(UserError, match=r'crops of 1 video \(first jump\) exist with size 128'):
                build_corpus([new, video], tmp_path / 'c', redo=redo, **options)
    corpus = Corpus.open(tmp_path / 'c')
    assert (list(corpus.videos()), corpus.failures(), corpus.recipe['size']) == (['jump'], {}, 128)
    build_corpus([video], tmp_path / 'c', size=64, overwrite=True)
    assert CropStore(corpus.crops_dir).header('jump').size == corpus.recipe['size'] == 64
    with pytest.raises(UserError, match='fps is None'):
        build_corpus([video], tmp_path / 'c', fps=10)


def test_masks_beside_the_boxes(tmp_path):
    import base64

    import cv2

    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    boxes = write_boxes(tmp_path / 'boxes', 'jump')
    png = base64.b64encode(cv2.imencode('.png', np.full((30, 20), 255, np.uint8))[1].tobytes()).decode()
    (boxes / 'jump' / 'mask.json').write_text(json.dumps([[4, [[0.95, [30, 8, 20, 30], png]]]]))
    assert build_corpus([video], tmp_path / 'c', boxes=str(boxes)).failures == []
    store = CropStore(tmp_path / 'c' / 'athlete' / 'crops')
    assert store.mask('jump', 3) is None
    mask = store.mask('jump', 4)
    assert mask.mean() == pytest.approx(20 * 30 / 36**2, abs=0.02)
    assert mask[64, 64]
    assert not mask[:8].any()


def test_find_videos(tmp_path):
    for name in ('b.mp4', 'deep/a.AVI', 'notes.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.name for p in find_videos([tmp_path])] == ['a.AVI', 'b.mp4']
    assert [p.name for p in find_videos([tmp_path / 'b.mp4', tmp_path])] == ['a.AVI', 'b.mp4']
    (tmp_path / 'none').mkdir()
    with pytest.raises(UserError, match='folder holds no video'):
        find_videos([tmp_path / 'none'])
    with pytest.raises(UserError, match='no video given'):
        find_videos([])


def test_videos_that_cannot_be_opened_fail_by_name(tmp_path):
    videos = make_video(tmp_path / 'v' / 'a.mp4', 3).parent
    make_unreadable(videos, '.mp4')
    (videos / 'folder.mp4').mkdir()
    reports = {report.video: report.failures for report in build_corpus([videos], tmp_path / 'c').videos}
    assert reports.pop('a') == []
    assert sorted(reports) == ['dangling', 'fifo', 'loop']
    for name, [failure] in reports.items():
        assert re.search(rf'{name}\.mp4: (no such file|is not a regular file|cannot be opened)', failure)


def test_a_wrong_path_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match='nowhere: no such file or folder'):
        build_corpus([tmp_path / 'nowhere'], tmp_path / 'c')
    assert not (tmp_path / 'c').exists()
    video = make_video(tmp_path / 'a.mp4', 3)
    assert len(build_corpus([tmp_path / 'nowhere.mp4', video], tmp_path / 'c').failures) == 1
    assert Corpus.open(tmp_path / 'c').failures() == {}


def test_name_clash_with_the_corpus(tmp_path):
    build_corpus([make_video(tmp_path / 'x' / 'jump.mp4', 3)], tmp_path / 'c')
    [(_, failure)] = build_corpus([make_video(tmp_path / 'y' / 'jump.mp4', 3)], tmp_path / 'c').failures
    assert "has a video 'jump' already, from" in failure


def test_split_model():
    assert split_model('mmdet:a/b.py') == ('a/b.py', None)
    assert split_model('mmpose:rtmpose-m:https://host/x.pth') == ('rtmpose-m', 'https://host/x.pth')
    assert split_model('mmdet:mmdet::rtmdet/x.py') == ('mmdet::rtmdet/x.py', None)
    assert split_model('mmdet:mmdet::rtmdet/x.py:y.pth') == ('mmdet::rtmdet/x.py', 'y.pth')
    assert split_model('mmdet:mmdet::x.py:https://host:80/y.pth') == ('mmdet::x.py', 'https://host:80/y.pth')
    with pytest.raises(UserError, match='names no config'):
        split_model('mmdet:')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'boxes': 'nowhere'}, "boxes 'nowhere': must be full, mediapipe, mmdet:"),
        ({'poses': 'nowhere'}, "poses 'nowhere': must be none, mediapipe"),
        ({'masks': 'nowhere'}, "masks 'nowhere'"),
        ({'flow': 'magic'}, 'flow method must be one of'),
        ({'size': 3}, 'crop size must be'),
        ({'workers': 0}, 'workers must be'),
        ({'batch_size': 0}, 'batch size must be'),
        ({'poses': 'mediapipe', 'pose_name': 'a/b'}, 'pose set name'),
    ],
)
def test_bad_options_write_nothing(tmp_path, options, message):
    video = make_video(tmp_path / 'jump.mp4', 2)
    with pytest.raises(UserError, match=message):
        build_corpus([video], tmp_path / 'c', **options)
    assert not (tmp_path / 'c').exists()


def test_pose_set_names(tmp_path):
    def name(poses):
        return PrepareSettings(tmp_path, poses=poses).pose_set

    assert [name(p) for p in ('none', 'mediapipe', str(tmp_path))] == [None, 'mediapipe', 'files']
    assert name('mediapipe:heavy') == 'mediapipe-heavy'
    assert name('mmpose:rtmpose-m') == 'rtmpose-m'
    assert name('mmpose:configs/td-hm_res50.py:x.pth') == 'td-hm_res50'


def test_track_and_table_are_cut_at_the_last_decoded_frame(tmp_path, monkeypatch):
    class ThreePacketsMore(VideoReader):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.num_frames += 3

    monkeypatch.setattr('vpd_mm.prepare.video_preparer.VideoReader', ThreePacketsMore)
    build_corpus([make_video(tmp_path / 'jump.mp4', 5)], tmp_path / 'c')
    corpus = Corpus.open(tmp_path / 'c')
    assert corpus.video('jump').num_frames == 5
    np.testing.assert_array_equal(corpus.track('jump').frame_inds, np.arange(5))
    assert len(CropStore(corpus.crops_dir).header('jump')) == 5
