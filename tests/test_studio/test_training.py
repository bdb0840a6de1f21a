"""The process of a training: progress, one at a time, cancelled without a trace, and over HTTP."""

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from fastapi.testclient import TestClient
from learning_corpus import make_learning_corpus, run_short_training

from vpd_mm.engine.locks import file_lock
from vpd_mm.errors import UserError
from vpd_mm.files import list_folder
from vpd_mm.structures import save_actions
from vpd_mm.studio import Workspace, create_app
from vpd_mm.studio.predictions import PredictionStore
from vpd_mm.studio.training import Trainer
from vpd_mm.studio.training_worker import run_training, train


@pytest.fixture
def client(tmp_path):
    app = create_app(Workspace(make_learning_corpus(tmp_path / 'c'), 'vpd'))
    with TestClient(app, base_url='http://127.0.0.1:8765', headers={'X-VPD-Studio': '1'}) as client:
        yield client


def test_a_training_runs_beside_the_server_and_is_cancelled(client, tmp_path):
    assert client.get('/api/training').json()['state'] == 'idle'
    with client.websocket_connect('ws://127.0.0.1:8765/api/training/progress') as socket:
        assert socket.receive_json()['state'] == 'idle'
        socket.send_bytes(b'not asked for')
        started = client.post('/api/training')
        assert (started.status_code, started.json()['state']) == (200, 'running')
        again = client.post('/api/training')
        assert again.status_code == 409
        assert 'a training is running' in again.json()['error']
        state = socket.receive_json()
        end = time.monotonic() + 120
        while state['stage'] != 'train' and time.monotonic() < end:
            state = socket.receive_json()
        assert state['state'] == 'running'
        assert state['total'] == 100
        assert client.delete('/api/training').json()['state'] == 'cancelled'
    assert not [path for path in list_folder(tmp_path / 'c' / 'studio' / 'trainings') if path.is_dir()]
    assert client.get('/api/predictions').json() == {'made': None, 'stale': False, 'predictions': []}
    assert client.delete('/api/training').json()['state'] == 'cancelled'


def test_a_training_that_is_killed_has_failed_and_leaves_no_process(tmp_path):
    trainer = Trainer(Workspace(make_learning_corpus(tmp_path / 'c'), 'vpd'))
    trainer.start()
    end = time.monotonic() + 120
    while trainer.state().stage != 'train' or trainer.state().done < 6:
        assert time.monotonic() < end
        time.sleep(0.1)
    os.kill(trainer._process.pid, signal.SIGKILL)  # alone, as the system does where memory runs out
    trainer._thread.join(30)  # it ends when no process holds the pipe any more
    assert trainer.state().state == 'failed'
    assert 'is there enough memory?' in trainer.state().error


@pytest.mark.full
def test_a_training_whose_studio_was_killed_ends_at_once(tmp_path):
    workspace = Workspace(make_learning_corpus(tmp_path / 'c'), 'vpd')
    context = multiprocessing.get_context('forkserver')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_training, args=(workspace, sender))
    process.start()
    sender.close()
    while receiver.recv()['done'] < 0.01:  # of the stage of the models, which takes many seconds
        pass
    receiver.close()
    process.join(5)
    assert process.exitcode == 1
    with file_lock(PredictionStore(workspace).root.parent / '.training.lock', wait_sec=5):
        pass


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which('mount') is None, reason='needs root, which mounts small disks')
def test_a_full_disk_is_named_and_labels_stay(tmp_path, monkeypatch):
    monkeypatch.setattr('vpd_mm.studio.training.run_training', run_short_training)
    disk = tmp_path / 'disk'
    disk.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk], check=True)
    try:
        trainer = Trainer(Workspace(make_learning_corpus(disk / 'c'), 'vpd'))
        used = sum(path.stat().st_blocks * 512 for path in disk.rglob('*'))
        for free in (0, 8 << 10, 40 << 10, 200 << 10):
            subprocess.run(['mount', '-o', f'remount,size={used + free}', disk], check=True)
            trainer.start()
            trainer.wait()
            state = trainer.state()
            assert state.state == 'failed'
            assert re.fullmatch(f'error: {disk}/c/studio/.*: No space left on device', state.error), (free, state.error)
        subprocess.run(['mount', '-o', 'remount,size=64m', disk], check=True)
        trainer.start()
        trainer.wait()
        assert trainer.state().state == 'done'
        assert not list(disk.rglob('*.tmp'))
    finally:
        subprocess.run(['umount', '--lazy', disk], check=True)


def test_too_few_labels_are_refused_at_once(client, tmp_path):
    save_actions(tmp_path / 'c' / 'annotations' / 'actions.csv', [])
    answer = client.post('/api/training')
    assert answer.status_code == 400
    assert 'no labels yet' in answer.json()['error']
    assert client.get('/api/training').json()['state'] == 'idle'


def test_predictions_of_an_unknown_video(client):
    assert client.get('/api/predictions?video=x').status_code in (400, 404)
    assert client.get('/api/predictions/scores?video=x').status_code in (400, 404)
    assert client.get('/api/predictions/scores?video=v0').json() == {'scores': []}


def test_two_studios_do_not_train_at_once(tmp_path):
    workspace = Workspace(make_learning_corpus(tmp_path / 'c'), 'vpd')
    store = PredictionStore(workspace)
    (store.root / '1').mkdir(parents=True)
    with store.lock(), pytest.raises(UserError, match='another studio trains on this corpus'):
        train(workspace, lambda stage, done: None)
    assert (store.root / '1').is_dir()
