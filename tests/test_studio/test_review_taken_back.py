"""A decision of the review queue is taken back with its label."""

import pytest
from fastapi.testclient import TestClient
from sequence_corpus import make_corpus

from vpd_mm.structures import Action
from vpd_mm.studio import Workspace, create_app
from vpd_mm.studio.reviews import Reviews

PREDICTION = {'video': 'a', 'start_frame': 30, 'end_frame': 40, 'label': 'class1'}


@pytest.fixture
def workspace(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'a': (25.0, 60)}, [Action('a:0', 'a', 10, 20, 0, 'train')])
    return Workspace(corpus)


@pytest.fixture
def client(workspace):
    headers = {'X-VPD-Studio': '1'}
    return TestClient(create_app(workspace), base_url='http://127.0.0.1:8765', headers=headers)


def decide(client, decision, **more):
    answer = client.post('/api/review', json={'prediction': PREDICTION, 'decision': decision, 'seconds': 3, **more})
    assert answer.status_code == 200, answer.json()
    return {'review_id': answer.json()['review']['review_id'], 'label': answer.json()['label']}


def take_back(client, made):
    return client.request('DELETE', '/api/review', json=made)


def test_a_decision_is_taken_back(client, workspace):
    rejected, corrected = decide(client, 'reject'), decide(client, 'correct', label='class0')
    assert len(client.get('/api/labels').json()['labels']) == 2
    assert take_back(client, rejected).status_code == 200
    assert [row.decision for row in Reviews(workspace).read()] == ['correct']
    assert decide(client, 'reject')['review_id'] == 3  # not the number of the decision that is left
    assert take_back(client, corrected).status_code == 200
    assert [label['action_id'] for label in client.get('/api/labels').json()['labels']] == ['a:0']
    again = take_back(client, rejected)
    assert again.status_code == 400
    assert 'no review 1; it was taken back already' in again.json()['error']
    assert take_back(client, {'review_id': '1'}).status_code == 400


def test_a_label_that_has_changed_stays(client, workspace):
    made = decide(client, 'accept')
    changed = {**made['label'], 'end_frame': 45}
    client.post('/api/labels', json={'changes': [{'before': made['label'], 'after': changed}]})
    answer = take_back(client, made)
    assert answer.status_code == 409
    assert 'changed elsewhere' in answer.json()['error']
    assert changed in client.get('/api/labels').json()['labels']
    assert len(Reviews(workspace).read()) == 1
