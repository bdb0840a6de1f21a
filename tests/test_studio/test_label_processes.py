"""Labels under fire: processes killed while they save, several that save at once, an import in between."""

import json
import random
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from threading import Timer

import pytest
from label_writers import add_labels, changes, pair, serve, start, write_steps
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus
from vpd_mm.engine.locks import file_lock
from vpd_mm.importers import import_label_table
from vpd_mm.structures import Action, load_actions
from vpd_mm.studio.labels import LabelStore

#: Longest time from an acknowledged step, or the begin of the first one, to the kill.
LONGEST_SEC = 0.1


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    videos = dict.fromkeys('abc', (25.0, 100))
    return make_corpus(tmp_path / 'c', videos, [Action('c:0', 'c', 10, 20, 0, 'test')])


class Steps:
    """Steps of one video: the last that was begun, and the last that was acknowledged.

    ``done`` counts the acknowledged ones.
    """

    def __init__(self, video: str) -> None:
        self.video, self.begun, self.acknowledged, self.done = video, 3, 3, 0

    def receive(self, step: int) -> None:
        if step < 0:
            self.acknowledged, self.done = -step, self.done + 1
        else:
            self.begun = step

    def receive_all(self, pipe: Connection, wait: bool = True) -> None:
        """Receive what is in a pipe, with ``wait`` until its end."""
        with suppress(EOFError):
            while wait or pipe.poll():
                self.receive(pipe.recv())

    def check(self, store: LabelStore) -> None:
        """All of a step or nothing: the stored labels are those of the last acknowledged one, or of the one begun."""
        _, labels = store.labels(self.video)
        last, begun = (sorted(pair(self.video, step), key=str) for step in (self.acknowledged, self.begun))
        assert sorted(labels, key=str) in (last, begun)
        if sorted(labels, key=str) == begun:
            self.acknowledged = self.begun


def check_files(corpus: Corpus, watched: Steps) -> None:
    """No lock is held, no entry is lost, and the history leads to what is stored."""
    with file_lock(corpus.root / '.labels.lock', wait_sec=20):
        load_actions(corpus.actions_path, 2)
    store = LabelStore(corpus)
    watched.check(store)
    history = store.history(10_000)
    own = [e for _, e in history if any(x and x.video == watched.video for change in e.changes for x in change)]
    steps = {int(x.note.split()[1][:-1]) for e in own for _, x in e.changes if x and x.note}
    assert steps >= {step for step in range(4, watched.acknowledged + 1) if pair(watched.video, step)}
    number, _ = history[0]
    assert {'studio'} == {entry.source for _, entry in history[:-1]}, 'a kill looks like a change of others'
    remembered, stored = (
        [label for label in state.labels.values() if label.video == watched.video]  # the other process goes on
        for state in (store.at(number), store.read().state)
    )
    assert remembered == stored


@pytest.mark.parametrize('kills', [2, pytest.param(50, marks=pytest.mark.kill)])
def test_no_kill_loses_what_was_acknowledged(corpus, kills):
    rng = random.Random(0)  # noqa: S311
    watched, other = Steps('a'), Steps('b')
    load, load_pipe = start(write_steps, corpus.root, 'b', 4)
    other.receive(load_pipe.recv())
    for _ in range(kills):
        process, pipe = start(write_steps, corpus.root, 'a', watched.acknowledged + 1)
        watched.receive(pipe.recv())
        until = watched.done + rng.randrange(3)
        while watched.done < until:
            watched.receive(pipe.recv())
        time.sleep(rng.uniform(0, LONGEST_SEC))
        process.kill()
        process.join()
        watched.receive_all(pipe)
        other.receive_all(load_pipe, wait=False)
        check_files(corpus, watched)
    load.kill()
    load.join()
    other.receive_all(load_pipe)
    check_files(corpus, other)
    watched.check(LabelStore(corpus))
    LabelStore(corpus).change(changes('a', watched.acknowledged + 1))
    assert not list(corpus.root.rglob('*.tmp'))
    assert LabelStore(corpus).notices() == []
    print(f'{kills} kills, {watched.done} acknowledged steps of the killed and {other.done} of the other process')
    assert watched.done >= kills // 2 and other.done > kills  # noqa: PT018


@pytest.mark.kill
def test_no_kill_of_the_server_loses_what_was_answered(corpus):
    rng = random.Random(1)  # noqa: S311
    watched = Steps('a')
    for _ in range(50):
        process, pipe = start(serve, corpus.root)
        connection = HTTPConnection('127.0.0.1', pipe.recv(), timeout=60)
        connection.request('GET', '/api/labels')
        connection.getresponse().read()
        killer = Timer(rng.uniform(0, 5 * LONGEST_SEC), process.kill)
        killer.start()
        with suppress(HTTPException, OSError):
            while True:
                step = watched.begun = watched.acknowledged + 1
                body = json.dumps({'changes': changes('a', step)})
                connection.request(
                    'POST', '/api/labels', body, {'Content-Type': 'application/json', 'X-VPD-Studio': '1'}
                )
                answer = connection.getresponse()
                content = answer.read()
                assert answer.status == 200, content
                watched.acknowledged, watched.done = step, watched.done + 1
        killer.join()
        process.join()
        check_files(corpus, watched)
    print(f'50 kills of the server, {watched.done} answered steps')
    assert watched.done > 50


def test_two_processes_and_an_import_lose_nothing(corpus, tmp_path):
    (tmp_path / 'table.csv').write_text(
        'action_id,video,label,start_frame,end_frame,split\n'
        'c:0,c,class0,10,20,test\nc:1,c,class0,30,40,train\nc:2,c,class1,50,60,val\n'
    )
    writers = [start(add_labels, corpus.root, video, 12) for video in ('a', 'a')]
    first = [pipe.recv() for _, pipe in writers]
    import_label_table(tmp_path / 'table.csv', corpus.root, overwrite=True)
    labels = [*first, *(label for _, pipe in writers for label in iter(pipe.recv, None))]
    for process, _ in writers:
        process.join()
        assert process.exitcode == 0
    assert len({label.action_id for label in labels}) == 24
    store = LabelStore(corpus)
    stored = store.read().state.labels
    assert {'c:0', 'c:1', 'c:2'} <= stored.keys() <= {'c:0', 'c:1', 'c:2', *(label.action_id for label in labels)}
    entries = [entry for _, entry in reversed(store.history(100))]
    (replaced,) = (i for i, e in enumerate(entries) if any(x and x.action_id == 'c:1' for _, x in e.changes))
    added_before = {x.action_id for e in entries[:replaced] for _, x in e.changes if x} - {'c:0'}
    deleted = {x.action_id for x, after in entries[replaced].changes if x and after is None}
    assert deleted == added_before  # --overwrite replaces; the history has them
    assert all(stored[x.action_id] == x for x in labels if x.action_id not in deleted)
    assert store.at(len(entries)) == store.read().state
