from sequence_corpus import make_corpus

from vpd_mm.infer.segments import Gallery, Segment
from vpd_mm.structures import Action, FeatureSequence, FrameTimes


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
