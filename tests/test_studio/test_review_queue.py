"""Orders of the review queue, decisions and their tables, the curve."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from learning_corpus import CLASSES, make_learning_corpus

from vpd_mm.studio import Workspace, create_app
from vpd_mm.studio.predictions import Prediction, content_of, disagreement, make_current, save_predictions
from vpd_mm.studio.review_queue import NUM_STEPS, Candidates, clip_vector, order_candidates
from vpd_mm.studio.reviews import MAX_SECONDS, Reviews
from vpd_mm.studio.segments import Segment


def candidates(points, known=(), probabilities=None, doubts=None, scores=None, counts=(1, 1)) -> Candidates:
    points = np.array(points, float)
    num = len(points)
    return Candidates(
        np.full((num, 2), 0.5) if probabilities is None else np.array(probabilities, float),
        np.zeros(num) if doubts is None else np.array(doubts, float),
        np.ones(num) if scores is None else np.array(scores, float),
        points[:, None, None],
        np.array(known, float).reshape(-1, 1),
        np.array(counts),
    )


#: Two groups of seven clips around 0 and 5; positions 3 and 10 are their middles.
TWO = [*np.linspace(-0.3, 0.3, 7), *np.linspace(4.7, 5.3, 7)]
FIRST, SECOND = 3, 10


def test_informative_asks_for_the_middle_of_each_group_and_the_outlier_later():
    order, values = order_candidates(candidates([*TWO, 50.0]), 'informative')
    assert set(order[:2]) == {FIRST, SECOND}
    assert order[6] == 14  # after the edges of the groups, before what lies near to one that was asked for
    assert (np.diff(values) <= 1e-9).all()
    assert sorted(order) == list(range(15))


def test_informative_asks_where_there_is_no_label_yet():
    assert order_candidates(candidates(TWO, known=[0.0]), 'informative')[0][0] == SECOND
    assert order_candidates(candidates(TWO, known=[5.0]), 'informative')[0][0] == FIRST


def test_informative_asks_what_is_rare_and_an_action():
    def first(**fields) -> int:
        return int(order_candidates(candidates(TWO, **fields), 'informative')[0][0])

    assert first(probabilities=[[0.9, 0.1]] * 7 + [[0.1, 0.9]] * 7, counts=(9, 1)) == SECOND
    assert first(probabilities=[[0.1, 0.9]] * 7 + [[0.9, 0.1]] * 7, counts=(9, 1)) == FIRST
    assert first(scores=[0.3] * 7 + [0.9] * 7) == SECOND
    assert first(scores=[0.9] * 7 + [0.3] * 7) == FIRST


def test_informative_does_not_ask_for_what_the_models_doubt():
    expected = order_candidates(candidates(TWO), 'informative')[0]
    for doubt in ([0.01] * 7 + [0.5] * 7, [0.5] * 7 + [0.01] * 7):
        probabilities = [[1 - p, p] for p in doubt]
        order = order_candidates(candidates(TWO, probabilities=probabilities, doubts=doubt), 'informative')[0]
        np.testing.assert_array_equal(order, expected)


def test_simple_orders():
    three = candidates(
        [0, 1, 2], probabilities=[[0.6, 0.4], [0.5, 0.5], [0.1, 0.9]], doubts=[0, 0.1, 0.9], counts=(9, 1)
    )
    assert order_candidates(three, 'uncertain')[0].tolist() == [1, 0, 2]
    assert order_candidates(three, 'confident')[0].tolist() == [2, 0, 1]
    assert order_candidates(three, 'disagreement')[0].tolist() == [2, 1, 0]
    assert order_candidates(three, 'rare', 2)[0].tolist() == [2, 1]


def test_clip_vectors_are_means_of_parts():
    clip = np.arange(NUM_STEPS * 3, dtype=float)[:, None, None] * np.array([[[1.0, 2.0], [-1.0, 0.0]]])
    vector = clip_vector(clip)
    assert vector.shape == (2, NUM_STEPS * 2)
    assert vector[0].reshape(NUM_STEPS, 2)[:, 0].tolist() == [3 * i + 1 for i in range(NUM_STEPS)]
    assert clip_vector(clip[:2]).shape == vector.shape


def test_disagreement_is_0_to_1():
    same = np.array([[[0.7, 0.3]], [[0.7, 0.3]]])
    assert disagreement(same) == pytest.approx([0])
    assert disagreement(np.array([[[1.0, 0.0]], [[0.0, 1.0]]])) == pytest.approx([1])
    assert disagreement(same[:1]) == pytest.approx([0])


@pytest.fixture
def studio(tmp_path):
    """A studio with predictions of the two unlabelled videos, and one over a label."""
    workspace = Workspace(make_learning_corpus(tmp_path / 'c'), 'vpd')
    root = workspace.folder / 'trainings'
    scores = {'rise': 0.6, 'fall': 0.3, 'wave': 0.1}
    segments = [Segment(v, 20 + 40 * j, 40 + 40 * j) for v in ('v4', 'v5') for j in range(4)]
    rows = [Prediction(s, 'rise', scores, 0.9, 0.1) for s in [*segments, Segment('v0', 21, 41)]]
    (root / '1').mkdir(parents=True)
    save_predictions(root / '1', 1.0, content_of(workspace), CLASSES, rows)
    make_current(root, '1')
    return workspace, TestClient(create_app(workspace), base_url='http://127.0.0.1:8765', headers={'X-VPD-Studio': '1'})


def test_the_queue_holds_what_no_label_covers(studio):
    _, client = studio
    found = client.get('/api/review').json()
    assert len(found) == 8
    assert {p['video'] for p in found} == {'v4', 'v5'}
    assert all(p['reason'] and p['value'] >= 0 and p['scores']['rise'] == 0.6 for p in found)
    assert [p['start_frame'] for p in client.get('/api/review?order=time').json()[:2]] == [20, 60]
    assert len(client.get('/api/review?limit=3').json()) == 3


def test_decisions_add_labels_and_leave_the_queue(studio):
    workspace, client = studio
    first, second, third = client.get('/api/review?order=time').json()[:3]
    made = client.post('/api/review', json={'prediction': first, 'decision': 'accept', 'seconds': 2.5}).json()
    assert (made['label']['label'], made['label']['split'], made['left']) == ('rise', 'train', 7)
    body = {'prediction': second, 'decision': 'correct', 'label': 'wave', 'seconds': 5}
    assert client.post('/api/review', json=body).json()['label']['label'] == 'wave'
    made = client.post('/api/review', json={'prediction': third, 'decision': 'reject', 'seconds': 1e6}).json()
    assert made['label'] is None
    assert made['left'] == 5
    assert made['review']['seconds'] == MAX_SECONDS
    labels = {(x['video'], x['start_frame']): x['label'] for x in client.get('/api/labels?video=v4').json()['labels']}
    assert labels == {('v4', 20): 'rise', ('v4', 60): 'wave'}
    assert Reviews(workspace).rejected() == [Segment('v4', 100, 120)]
    curve = client.get('/api/review/curve').json()
    assert curve['decisions'] == {'accept': 1, 'correct': 1, 'reject': 1}
    assert curve['learned'] == {'rise': 1, 'wave': 1}
    assert curve['num_labels'] == 18
    assert curve['minutes'] == pytest.approx((2.5 + 5 + MAX_SECONDS) / 60, abs=1e-3)
    assert client.get('/api/predictions?video=v4').json()['stale'] is True


def test_a_renamed_class_renames_its_predictions(studio):
    _, client = studio
    assert client.post('/api/classes', json={'name': 'rise', 'rename': 'get up'}).status_code == 200
    first = client.get('/api/review?order=time').json()[0]
    assert (first['label'], first['scores']) == ('get up', {'get up': 0.6, 'fall': 0.3, 'wave': 0.1})
    made = client.post('/api/review', json={'prediction': first, 'decision': 'accept', 'seconds': 1}).json()
    assert made['label']['label'] == 'get up'
    assert client.post('/api/classes', json={'name': 'get up', 'rename': 'stand'}).status_code == 200
    assert client.get('/api/predictions?video=v4').json()['predictions'][0]['label'] == 'stand'


@pytest.mark.parametrize(
    'classes',
    [
        ['jump', 'rise', 'fall', 'wave'],
        ['fall', 'rise', 'wave'],
        ['jump', 'rise up', 'fall', 'wave'],
        ['rise'],
        ['stand', 'fall', 'wave'],
    ],
)
def test_classes_that_an_editor_changed_rename_no_prediction(studio, classes):
    """An inserted, a moved, an inserted beside a renamed, removed and a renamed class."""
    workspace, client = studio
    client.get('/api/labels')
    workspace.corpus.classes_path.write_text('\n'.join(classes) + '\n')
    for _ in range(2):  # before and after the history has the change
        read = client.get('/api/predictions?video=v4').json()
        assert {p['label'] for p in read['predictions']} == {'rise'}
        assert read['predictions'][0]['scores'] == {'rise': 0.6, 'fall': 0.3, 'wave': 0.1}
        assert read['stale']
        client.get('/api/labels')
    if 'rise' in classes and len(classes) > 2:  # all labels have a class
        assert client.post('/api/classes', json={'name': 'rise', 'rename': 'get up'}).status_code == 200
        read = client.get('/api/predictions?video=v4').json()
        assert {p['label'] for p in read['predictions']} == {'get up'}


def test_a_rejected_segment_that_gets_a_label_counts_as_labelled(studio):
    workspace, client = studio
    first = client.get('/api/review?order=time').json()[0]
    client.post('/api/review', json={'prediction': first, 'decision': 'reject'})
    assert len(Reviews(workspace).rejected()) == 1
    label = {'video': 'v4', 'start_frame': 22, 'end_frame': 40, 'label': 'fall'}
    client.post('/api/labels', json={'changes': [{'before': None, 'after': label}]})
    assert Reviews(workspace).rejected() == []


def test_the_curve_shows_accuracy_against_work(studio):
    workspace, client = studio
    reviews = Reviews(workspace)
    accuracy = {'value': 0.5, 'n': 10, 'chance': 0.3, 'interval': [0.2, 0.8]}
    reviews.add_training(1.0, 10, accuracy)
    reviews.add(Segment('v4', 20, 40), 'rise', 'accept', 'rise', 30.0)
    reviews.add_training(2.0, 11, {**accuracy, 'value': 0.75})
    points = client.get('/api/review/curve').json()['points']
    assert [(p['minutes'], p['num_labels'], p['accuracy']) for p in points] == [(0, 10, 0.5), (0.5, 11, 0.75)]


@pytest.mark.parametrize(
    ('change', 'line'),
    [
        ({'decision': 'maybe'}, 'decision must be one of accept, correct, reject'),
        ({'seconds': -1}, 'seconds must be a number of 0 or more'),
        ({'decision': 'correct'}, 'a correction needs the right class'),
        ({'decision': 'correct', 'label': 'jump'}, "no class 'jump'"),
        ({'prediction': {}}, 'prediction: needs a video'),
    ],
)
def test_wrong_decisions_change_nothing(studio, change, line):
    _, client = studio
    body = {'prediction': client.get('/api/review').json()[0], 'decision': 'accept', 'seconds': 1, **change}
    answer = client.post('/api/review', json=body)
    assert answer.status_code == 400
    assert line in answer.json()['error']
    assert len(client.get('/api/review').json()) == 8


def test_wrong_orders_are_refused(studio):
    _, client = studio
    assert client.get('/api/review?order=x').status_code == 400
    assert client.get('/api/review?limit=0').status_code == 400


@pytest.mark.parametrize(
    ('change', 'status'),
    [({'end_frame': 10**30}, 400), ({'end_frame': 201}, 400), ({'video': 'x'}, 404), ({'label': 'a\nb'}, 400)],
)
def test_a_decision_on_what_is_no_prediction_is_refused(studio, change, status):
    workspace, client = studio
    prediction = {'video': 'v4', 'start_frame': 20, 'end_frame': 40, 'label': 'rise'} | change
    answer = client.post('/api/review', json={'prediction': prediction, 'decision': 'reject'})
    assert answer.status_code == status
    assert Reviews(workspace).read() == []


def test_predictions_of_videos_that_were_left_out_are_not_asked_for(studio):
    workspace, client = studio
    workspace.corpus.leave_out(['v4'])
    for order in ('informative', 'time'):
        assert {row['video'] for row in client.get(f'/api/review?order={order}').json()} == {'v5'}
    workspace.corpus.leave_out(['v4', 'v5'])
    for order in ('informative', 'time'):
        assert client.get(f'/api/review?order={order}').json() == []


def test_predictions_without_features_are_not_asked_for(studio):
    workspace, client = studio
    for video in ('v4', 'v5'):
        (workspace.corpus.features_dir('vpd') / f'{video}.npz').unlink()
    assert client.get('/api/review').json() == []
    assert client.get('/api/predictions').json()['stale']


def test_predictions_are_shown_as_stale_while_labels_cannot_be_read(studio):
    workspace, client = studio
    assert not client.get('/api/predictions').json()['stale']
    workspace.corpus.classes_path.write_text('rise\nrise\n')
    answer = client.get('/api/predictions')
    assert (answer.status_code, answer.json()['stale']) == (200, True)
