"""Search by example: exact distances, sources of candidates, suppression, rejections, cache."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from learning_corpus import make_learning_corpus

from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError
from vpd_mm.retrieve import dtw_distance
from vpd_mm.structures import FeatureSequence
from vpd_mm.studio import Workspace, create_app
from vpd_mm.studio.search import NMS_TIOU, SearchEngine, window_lengths
from vpd_mm.studio.segments import ClipReader, Segment

QUERY = Segment('v0', 20, 40)  # rise


@pytest.fixture(scope='module')
def workspace(tmp_path_factory):
    return Workspace(make_learning_corpus(tmp_path_factory.mktemp('search') / 'c'), 'vpd')


def test_the_nearest_are_of_the_class_and_exact(workspace):
    found = SearchEngine(workspace).search(QUERY, 8)
    # v0 .. v5 hold rise at 20, 140; -, -; ... : class (i + j) % 3 == 0
    same = {(f'v{i}', 20 + 40 * j) for i in range(6) for j in range(4) if (i + j) % 3 == 0} - {('v0', 20)}
    starts = {(m.video, 20 + 40 * round((m.start_frame - 20) / 40)) for m in found.matches[:7]}
    assert len(same) == 7
    assert starts == same
    reader = ClipReader(workspace)
    query = reader.read(QUERY)
    for match in found.matches[:4]:
        clip = reader.read(Segment(match.video, match.start_frame, match.end_frame))
        exact = min(dtw_distance(query[:, 0], clip[:, view]) for view in range(2))
        assert match.distance == pytest.approx(exact, abs=1e-5)
        assert match.step_pattern == 'symmetricP2'
    distances = [match.distance for match in found.matches]
    assert distances == sorted(distances)


def test_labels_are_named_and_uncut_videos_are_searched(workspace):
    matches = SearchEngine(workspace).search(QUERY, 10).matches
    labels = [m for m in matches if m.video in ('v0', 'v1', 'v2', 'v3') and m.label == 'rise']
    assert {m.label_from for m in labels} == {'label'}
    assert all(m.action_id for m in labels)
    unlabelled = [m for m in matches[:7] if m.video in ('v4', 'v5')]
    assert {m.label for m in unlabelled} == {None}
    assert len(unlabelled) == 2


def test_no_result_overlaps_another_or_the_query(workspace):
    matches = SearchEngine(workspace).search(QUERY, 30).matches
    segments = [Segment(m.video, m.start_frame, m.end_frame) for m in matches]
    assert len(segments) == 30
    assert all(a.tiou(b) <= NMS_TIOU for i, a in enumerate(segments) for b in segments[:i])
    assert all(s.video != 'v0' or s.end_frame <= 20 or s.start_frame >= 40 for s in segments)


def test_a_short_list_is_the_begin_of_a_long_one(workspace):
    engine = SearchEngine(workspace)
    assert engine.search(QUERY, 3).matches == engine.search(QUERY, 40).matches[:3]


def test_windows_have_lengths_around_the_query():
    for seconds in (0.2, 0.8, 7.0):
        lengths = window_lengths(seconds)
        assert len(lengths) == 3
        assert min(lengths) >= seconds / 1.41
        assert max(lengths) <= seconds * 1.41
    assert set(window_lengths(0.8)) & set(window_lengths(0.9))


def test_frames_without_features_are_no_candidates(tmp_path):
    corpus = make_learning_corpus(tmp_path / 'c', 2, 1)
    path = corpus.features_dir('vpd') / 'v1.npz'
    sequence = FeatureSequence.load(path)
    keep = np.r_[0:50, 150:200]
    FeatureSequence(sequence.frame_inds[keep], sequence.feats[keep], sequence.scores[keep]).save(path)
    matches = SearchEngine(Workspace(corpus, 'vpd')).search(QUERY, 15).matches
    inside = [m for m in matches if m.video == 'v1']
    assert inside
    assert all(m.end_frame <= 50 + 13 or m.start_frame >= 150 - 13 for m in inside)


def test_changed_features_are_read_again(tmp_path):
    corpus = make_learning_corpus(tmp_path / 'c', 3, 1)
    engine = SearchEngine(Workspace(corpus, 'vpd'))
    before = next(match for match in engine.search(QUERY, 3).matches if match.video != 'v0')
    path = corpus.features_dir('vpd') / f'{before.video}.npz'
    sequence = FeatureSequence.load(path)
    FeatureSequence(sequence.frame_inds, sequence.feats + 50, sequence.scores).save(path)
    assert before not in engine.search(QUERY, 3).matches


@pytest.mark.parametrize(
    ('query', 'limit', 'line'),
    [
        (Segment('v9', 0, 10), 5, "no video 'v9'"),
        (Segment('v0', 190, 210), 5, 'ends at frame 210, v0 has 200 frames'),
        (QUERY, 0, 'limit must be 1 to 200'),
    ],
)
def test_errors_are_one_line(workspace, query, limit, line):
    with pytest.raises(UserError, match=line):
        SearchEngine(workspace).search(query, limit)


def test_a_corpus_without_features_says_so(workspace):
    with pytest.raises(UserError, match='has no features yet'):
        SearchEngine(Workspace(workspace.corpus)).search(QUERY)


def test_a_rejected_match_stays_away_until_it_is_taken_back(tmp_path):
    corpus = make_learning_corpus(tmp_path / 'c', 3, 2)
    client = TestClient(
        create_app(Workspace(corpus, 'vpd')), base_url='http://127.0.0.1:8765', headers={'X-VPD-Studio': '1'}
    )
    body = {'video': 'v0', 'start_frame': 20, 'end_frame': 40, 'limit': 5}
    answer = client.post('/api/search', json=body).json()
    assert answer['seconds'] < 60
    assert answer['num_candidates'] == sum(answer['candidates_from'].values()) > 50
    first = answer['matches'][0]
    pair = {'query': body, 'match': first}
    assert client.post('/api/search/reject', json=pair).json() == {'rejections': 1}
    assert client.post('/api/search/reject', json=pair).json() == {'rejections': 1}
    shifted = {**body, 'start_frame': 22, 'end_frame': 42}  # nearly the same query
    for query in (body, shifted):
        for match in client.post('/api/search', json=query).json()['matches']:
            span = Segment(match['video'], match['start_frame'], match['end_frame'])
            assert span.tiou(Segment(first['video'], first['start_frame'], first['end_frame'])) < 0.5
    text = (Corpus.open(corpus.root).root / 'studio' / 'rejections.csv').read_text()
    assert text.splitlines()[1] == f'1,v0,20,40,{first["video"]},{first["start_frame"]},{first["end_frame"]}'
    assert client.request('DELETE', '/api/search/reject', json=pair).json() == {'rejections': 0}
    assert client.post('/api/search', json=body).json()['matches'][0] == first


@pytest.mark.parametrize(
    'body',
    [{}, [], {'video': 'v0', 'start_frame': 5, 'end_frame': 5}, {'video': 'v0', 'start_frame': 0.5, 'end_frame': 9}],
)
def test_a_wrong_body_is_refused(workspace, body):
    client = TestClient(create_app(workspace), base_url='http://127.0.0.1:8765', headers={'X-VPD-Studio': '1'})
    answer = client.post('/api/search', json=body)
    assert answer.status_code == 400
    assert 'query' in answer.json()['error']
