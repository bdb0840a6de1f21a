"""Inputs that fuzzing has kept: each is read, or refused in one line, within 10 s and 1 GB, and starts nothing."""

import json

import pytest
from fuzz_readers import KEPT, MAX_SEC, in_child, problems_of, readers, try_chain

CHAINS = json.loads(KEPT.read_text())


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return readers(tmp_path_factory.mktemp('readers'))


@pytest.mark.parametrize('name', CHAINS)
def test_kept_inputs(name, made):
    data, read = made[name]
    assert read(data) is not None
    assert problems_of(name, data, read, CHAINS[name]) == []


def test_every_reader_has_kept_inputs(made):
    assert made.keys() == CHAINS.keys()
    assert sum(map(len, CHAINS.values())) >= 500


@pytest.mark.parametrize(
    ('read', 'problem'),
    [
        (lambda data: 1 / 0, 'ZeroDivisionError'),
        (lambda data: bytearray(3 << 30), 'MemoryError'),
        (lambda data: __import__('os').system('true'), 'the process ended'),
    ],
)
def test_what_is_not_allowed_is_seen(read, problem):
    answer = in_child(lambda: try_chain(b'x', read, [1]), MAX_SEC)
    assert answer.startswith(problem)
