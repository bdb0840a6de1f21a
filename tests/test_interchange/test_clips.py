"""Clips: exactly the frames of each action, at their times; a FiftyOne data set needs its package."""

import csv
import sys

import numpy as np
import pytest
from media import frame_number, make_video

from vpd_mm.athlete.video_reader import VideoReader
from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.interchange import labelled_videos, write_clips
from vpd_mm.interchange.fiftyone_dataset import export_fiftyone, mean_feature
from vpd_mm.structures import Action, FeatureSequence, save_actions, save_classes
from vpd_mm.studio.labels import LabelStore

SPANS = {'steady': [(0, 1), (3, 9), (5, 12), (23, 24)], 'uneven': [(2, 8)]}
#: Times of a video at a variable rate, in 1 / 100 s.
TICKS = [0, 4, 9, 12, 20, 24, 29, 31, 40, 44, 50, 53]


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clips')
    make_video(folder / 'steady.mp4', 24)  # with B-frames and key frames every six frames
    make_video(folder / 'uneven.mp4', 12, fps=100, ticks=TICKS)
    corpus = Corpus.create(folder / 'c')
    for name in SPANS:
        reader = VideoReader(folder / f'{name}.mp4')
        corpus.add_videos([VideoInfo(name, str(reader.path), reader.fps, reader.num_frames, 64, 48)])
        corpus.save_times(name, reader.times)
    corpus.actions_path.parent.mkdir()
    save_classes(corpus.classes_path, ['jump/over', 'roll'])
    spans = [(video, i, *span) for video, of in SPANS.items() for i, span in enumerate(of)]
    save_actions(corpus.actions_path, [Action(f'{v}:{i}', v, a, b, i % 2, 'train') for v, i, a, b in spans])
    return corpus


def test_a_clip_has_exactly_the_frames_of_its_action(corpus, tmp_path):
    calls = []
    labelled = labelled_videos(LabelStore(corpus))
    paths = write_clips(corpus, labelled, tmp_path / 'out', on_progress=lambda *n: calls.append(n))
    assert calls == [(i, 5) for i in range(6)]
    with (tmp_path / 'out' / 'clips.csv').open() as f:
        rows = list(csv.DictReader(f))
    assert [row['clip'] for row in rows][:2] == ['jump_over/steady_0_1.mp4', 'roll/steady_3_9.mp4']
    assert [row['clip'] for row in rows] == [p.relative_to(tmp_path / 'out').as_posix() for p in paths]
    for row in rows:
        reader = VideoReader(tmp_path / 'out' / row['clip']) if row['end_frame'] != '1' else None
        if reader is None:
            continue
        start, end = int(row['start_frame']), int(row['end_frame'])
        if end - start > 1:
            assert [frame_number(image) for _, image in reader] == list(range(start, end))
        if row['video'] == 'uneven':
            times = corpus.times(corpus.video('uneven'))
            wanted = times.seconds(np.arange(start, end)) - times.seconds(start)
            assert np.allclose(reader.times.seconds(np.arange(end - start)), wanted, atol=0.001)
    write_clips(corpus, labelled, tmp_path / 'out')  # ours are replaced


def test_clips_of_one_frame(corpus, tmp_path):
    import av

    labelled = labelled_videos(LabelStore(corpus), ['steady'])
    paths = write_clips(corpus, labelled, tmp_path)
    for path, number in ((paths[0], 0), (paths[3], 23)):
        with av.open(str(path)) as container:
            images = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
        assert [frame_number(image) for image in images] == [number]


def test_files_of_others_are_kept(corpus, tmp_path):
    labelled = labelled_videos(LabelStore(corpus), ['uneven'])
    mine = tmp_path / 'jump_over' / 'uneven_2_8.mp4'
    mine.parent.mkdir()
    mine.write_bytes(b'mine')
    with pytest.raises(UserError, match='exists and was not written by this tool'):
        write_clips(corpus, labelled, tmp_path)
    assert mine.read_bytes() == b'mine'
    assert len(write_clips(corpus, labelled, tmp_path, overwrite=True)) == 1


def test_without_fiftyone_one_line_says_how_to_get_it(corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, 'fiftyone', None)
    with pytest.raises(UserError, match='the package fiftyone is not installed; run: pip install fiftyone'):
        export_fiftyone(corpus, labelled_videos(LabelStore(corpus)), 'x')


def test_the_embedding_of_an_action_is_the_mean_of_its_frames():
    feats = np.arange(12, dtype=np.float32).reshape(6, 2, 1)
    sequence = FeatureSequence(np.array([0, 1, 2, 5, 6, 7]), feats, np.ones(6, np.float32))
    assert mean_feature(sequence, 1, 6).tolist() == [(2 + 4 + 6) / 3]
    assert mean_feature(sequence, 3, 5) is None
    assert mean_feature(None, 0, 9) is None
