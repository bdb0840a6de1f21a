import numpy as np
import pytest
from media import make_video
from sequence_corpus import make_corpus

from vpd_mm.athlete import VideoReader
from vpd_mm.infer.results import make_sample, to_json
from vpd_mm.infer.segments import Gallery, Segment
from vpd_mm.structures import Action, AthleteTrack, FeatureSequence, FrameTimes


@pytest.mark.parametrize('suffix', ['mp4', 'mkv', 'ts', 'avi'])
def test_results_have_the_seconds_of_the_file(tmp_path, suffix):
    ticks = [*range(6), *range(7, 19, 2)]  # 25, then 12.5 frames a second
    source = VideoReader(make_video(tmp_path / f'v.{suffix}', 12, ticks=ticks))
    frames, ones = np.arange(12), np.ones(12, np.float32)
    track = AthleteTrack(frames, np.tile(np.array([0, 0, 9, 9], np.float32), (12, 1)), ones)
    sample = make_sample(
        source, '', track, FeatureSequence(frames, np.ones((12, 2, 2), np.float32), ones), 12, 'offline'
    )
    sample.set_field([Segment(6, 12)], 'segments')
    row = to_json(sample)
    assert row['fps'] == pytest.approx(11 / (17 / 25))
    assert [(s['start_sec'], s['end_sec']) for s in row['segments']] == [(0.28, 0.76)]


def test_seconds_are_those_of_the_time_stamps():
    times = FrameTimes.variable(np.append(np.arange(240) / 60, 4 + np.arange(161) / 20))
    row = Segment(240, 400).to_dict(times)
    assert (row['start_sec'], row['end_sec']) == (4.0, 12.0)
    assert Segment(240, 400).summary(times) == '    4.00 to    12.00 s'


def test_a_gallery_and_its_queries_have_the_window_of_the_data_set(tmp_path):
    actions = [Action(f'a{start}', 'v', start, start + 1, 0, 'train') for start in (50, 60)]
    corpus = make_corpus(tmp_path / 'c', {'v': (50.0, 200)}, actions, dataset='tennis7')
    gallery = Gallery(f'{corpus.root}:joints', dims=2)
    assert [len(clip) for clip in gallery.clips.clips] == [25, 25]
    segment, features = Segment(50, 51), FeatureSequence.load(corpus.teacher_dir('joints') / 'v.npz')
    gallery(features, [segment], FrameTimes(50.0), num_frames=200)
    near, far = segment.neighbours
    assert (near['action_id'], near['distance']) == ('a50', 0)
    assert far['distance'] > 0
