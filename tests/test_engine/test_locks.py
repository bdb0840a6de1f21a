"""Lock files: nothing but the number of a process is ever replaced."""

import errno
import os
import re
from types import SimpleNamespace

import pytest

from vpd_mm.corpus import Corpus, CropWriter, VideoInfo
from vpd_mm.corpus.provenance import refresh_source
from vpd_mm.engine import locks
from vpd_mm.engine.locks import file_lock
from vpd_mm.engine.resume import sole_training
from vpd_mm.errors import UserError


def _lock_corpus(corpus):
    with corpus.lock():
        pass


def _train(corpus):
    with sole_training(corpus.root / 'w'):
        pass


USERS = {
    '.prepare.lock': _lock_corpus,
    '.prepare-0.lock': _lock_corpus,
    '.videos.lock': lambda corpus: corpus.add_videos([VideoInfo('v', '', 25.0, 9, 64, 48)]),
    'athlete/.sources.lock': lambda corpus: refresh_source(corpus.tracks_dir, {}, [], '', {}),
    'athlete/poses/.sources.lock': lambda corpus: refresh_source(corpus.poses_dir('p'), {}, [], '', {}),
    'athlete/crops/shard-0.lock': lambda corpus: CropWriter(corpus.crops_dir / 'shard-0.lmdb').close(),
    '.w.lock': _train,
}


@pytest.mark.parametrize('name', USERS)
def test_no_lock_changes_a_file_of_the_user(tmp_path, name):
    corpus, mine = Corpus.create(tmp_path / 'c'), tmp_path / 'mine'
    lock = corpus.root / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.symlink_to(mine)
    with pytest.raises(UserError, match=f'{re.escape(name)}: is a link to .*mine'):
        USERS[name](corpus)
    assert not mine.exists()
    for content in ('ssh-rsa AAAA\n', '42\n', '1' * 21):  # none is the number of a process
        mine.write_text(content)
        with pytest.raises(UserError, match=f'{re.escape(name)}: is a link to .*mine'):
            USERS[name](corpus)
        lock.unlink()
        os.link(mine, lock)
        with pytest.raises(UserError, match=f'{re.escape(name)}: is no lock'):
            USERS[name](corpus)
        lock.unlink()
        lock.symlink_to(mine)
        assert mine.read_text() == content
    lock.unlink()
    USERS[name](corpus)
    assert lock.read_text() == str(os.getpid())
    USERS[name](corpus)


def test_a_lock_that_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / 'fifo')
    with pytest.raises(UserError, match='fifo: is no lock'), file_lock(tmp_path / 'fifo'):
        pass


@pytest.mark.parametrize('error', ['ENOSYS', 'ENOLCK', 'EOPNOTSUPP', None])
def test_without_locks_one_warning_says_so(tmp_path, monkeypatch, caplog, error):
    """Network file systems without flock, and systems without fcntl, which is None there."""

    def flock(*args):
        raise OSError(getattr(errno, error), 'not implemented')

    monkeypatch.setattr(locks, 'fcntl', error and SimpleNamespace(flock=flock, LOCK_SH=1, LOCK_EX=2, LOCK_NB=4))
    locks._warn_once.cache_clear()
    corpus = Corpus.create(tmp_path / 'c')
    for _ in range(2):
        with corpus.lock():
            corpus.add_videos([VideoInfo('v', '', 25.0, 9, 64, 48)])
    where = f'the file system of {corpus.root}' if error else 'this system'
    assert caplog.messages == [f'{where} has no locks; run one command at a time']
    assert list(corpus.videos()) == ['v']


def test_other_errors_of_a_lock_are_raised(tmp_path, monkeypatch):
    def flock(*args):
        raise OSError(errno.EIO, 'broken')

    monkeypatch.setattr(locks, 'fcntl', SimpleNamespace(flock=flock, LOCK_SH=1, LOCK_EX=2, LOCK_NB=4))
    with pytest.raises(OSError, match='broken'), file_lock(tmp_path / 'lock'):
        pass
