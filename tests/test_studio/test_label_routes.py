"""Routes of the labels: JSON, status and one line for each error."""

import pytest
from fastapi.testclient import TestClient
from sequence_corpus import make_corpus

from vpd_mm.structures import Action
from vpd_mm.studio import Workspace, create_app

ONE = {'action_id': 'a:0', 'video': 'a', 'start_frame': 10, 'end_frame': 20, 'label': 'class0', 'split': 'train'}
ONE['note'] = ''
NEW = {'video': 'a', 'start_frame': 1, 'end_frame': 5, 'label': 'class1'}


@pytest.fixture
def client(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'a': (25.0, 60), 'b': (25.0, 30)}, [Action('a:0', 'a', 10, 20, 0, 'train')])
    return TestClient(create_app(Workspace(corpus)), base_url='http://127.0.0.1:8765', headers={'X-VPD-Studio': '1'})


def test_two_tabs_see_and_refuse_each_other(client):
    first = client.get('/api/labels', params={'video': 'a'}).json()
    assert {**first, 'version': ''} == {
        'version': '',
        'classes': ['class0', 'class1'],
        'labels': [ONE],
        'problems': [],
        'notices': [],
    }
    assert client.get('/api/labels').json() == first
    assert client.get('/api/labels', params={'video': 'b'}).json()['labels'] == []
    made = client.post('/api/labels', json={'changes': [{'before': None, 'after': {**NEW, 'note': 'é,\n'}}]})
    (label,) = made.json()['labels']
    assert label == {'action_id': 'a:1', **NEW, 'split': 'train', 'note': 'é,\n'}
    assert made.json()['version'] == client.get('/api/labels').json()['version'] != first['version']
    changed = {**label, 'end_frame': 6}
    assert client.post('/api/labels', json={'changes': [{'before': label, 'after': changed}]}).status_code == 200
    other = client.post('/api/labels', json={'changes': [{'before': label, 'after': None}]})
    assert (other.status_code, other.json()['current']) == (409, changed)
    assert other.json()['error'] == 'label a:1 was changed elsewhere since it was read'
    assert client.post('/api/labels', json={'changes': [{'before': changed, 'after': None}]}).json()['labels'] == [None]
    gone = client.post('/api/labels', json={'changes': [{'before': changed, 'after': label}]})
    assert (gone.status_code, gone.json()['current']) == (409, None)


def test_history_and_restore(client):
    client.post('/api/labels', json={'changes': [{'before': ONE, 'after': None}]})
    client.post('/api/classes', json={'name': 'roll'})
    assert client.post('/api/classes', json={'name': 'class1', 'rename': 'turn'}).json()['classes'][1:] == [
        'turn',
        'roll',
    ]
    history = client.get('/api/labels/history').json()
    assert [(row['entry'], row['source'], row['num_changes']) for row in history] == [
        (4, 'studio', 0),
        (3, 'studio', 0),
        (2, 'studio', 1),
        (1, 'elsewhere', 1),
    ]
    assert history[2]['changes'] == [{'before': ONE, 'after': None}]
    assert history[0]['classes']['after'] == ['class0', 'turn', 'roll']
    assert client.get('/api/labels/history', params={'limit': 1}).json() == history[:1]
    assert client.post('/api/labels/restore', json={'entry': 1}).json()['num_changes'] == 1
    assert client.get('/api/labels').json()['labels'] == [ONE]


def test_divide(client):
    few = client.post('/api/labels/divide')
    assert (few.status_code, list(few.json())) == (400, ['error'])
    changes = [
        {'before': None, 'after': {**NEW, 'label': f'class{i % 2}', 'start_frame': i, 'end_frame': i + 1}}
        for i in range(12)
    ]
    client.post('/api/labels', json={'changes': changes})
    answer = client.post('/api/labels/divide', json={'seed': 1}).json()
    splits = [label['split'] for label in client.get('/api/labels').json()['labels']]
    assert answer['splits'] == {split: splits.count(split) for split in ('train', 'val', 'test')}
    assert answer['divided'].startswith('the actions were divided one by one')


@pytest.mark.parametrize(
    ('method', 'path', 'options', 'status', 'error'),
    [
        ('GET', 'labels?video=x', {}, 404, "no video 'x'; there are a, b"),
        ('GET', 'labels?video=..%2Fa', {}, 404, "no video '../a'"),
        ('POST', 'labels', {'json': []}, 400, 'must be a JSON object with changes'),
        ('POST', 'labels', {'json': {'changes': {}}}, 400, 'must be a list'),
        ('POST', 'labels', {'json': {'changes': [1]}}, 400, 'needs before and after'),
        ('POST', 'labels', {'json': {'changes': [], 'x': 1}}, 400, 'must be a JSON object with changes'),
        ('POST', 'classes', {'json': {'rename': 'x'}}, 400, 'must be a JSON object with name, rename'),
        ('POST', 'classes', {'json': {'name': 'class0'}}, 400, "there is 'class0' already"),
        ('POST', 'labels/restore', {'json': {'entry': '1'}}, 400, 'entry must be a whole number'),
        ('POST', 'labels/restore', {'json': {'entry': 9}}, 400, 'no entry 9'),
        ('POST', 'labels/divide', {'json': {'seed': -1}}, 400, 'seed must be a whole number from 0'),
        ('GET', 'labels/history?limit=0', {}, 400, 'limit must be 1 to 10000'),
    ],
)
def test_an_error_is_one_line(client, method, path, options, status, error):
    answer = client.request(method, f'/api/{path}', **options)
    assert answer.status_code == status
    assert error in answer.json()['error']
    assert '\n' not in answer.json()['error']
