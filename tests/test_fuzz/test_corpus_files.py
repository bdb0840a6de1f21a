"""Damaged files of a corpus: refused with one line, or read as they were written; in time, without a crash."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fuzzing import mutated, read_or_refuse
from hypothesis import given
from hypothesis import strategies as st
from tiny_corpus import make_tiny

from vpd_mm.corpus import Corpus, CropHeader, CropStore, VideoInfo
from vpd_mm.corpus.shard import seal, unseal
from vpd_mm.corpus.stale_files import CorpusInputs, FileDigests
from vpd_mm.errors import UserError
from vpd_mm.structures import FeatureSequence, load_actions, load_classes, save_actions, save_classes
from vpd_mm.structures.npz_io import read_source, save_npz
from vpd_mm.structures.table_io import write_table


@pytest.fixture(scope='module')
def corpus(tmp_path_factory) -> Corpus:
    """A corpus with a file of every kind, which the tests copy."""
    corpus = make_tiny(tmp_path_factory.mktemp('fuzz') / 'tiny', {'a': 9, 'b': 8})
    return corpus


@pytest.fixture(scope='module')
def copy(corpus, tmp_path_factory):
    """Write changed bytes under the name of a file of the corpus, into another folder."""
    root = tmp_path_factory.mktemp('copy')

    def write(path: Path, data: bytes) -> Path:
        target = root / path.relative_to(corpus.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    return write


def _arrays(sequence: FeatureSequence) -> list:
    return [array.tolist() for array in vars(sequence).values()]


@given(st.data())
def test_npz_equal_or_refused(corpus, copy, data):
    path = corpus.teacher_dir('joints') / 'b.npz'
    damaged = copy(path, data.draw(mutated(path.read_bytes())))
    loaded = read_or_refuse(lambda: FeatureSequence.load(damaged))
    assert loaded is None or _arrays(loaded) == _arrays(FeatureSequence.load(path))


def crops_content(folder: Path) -> str:
    """Headers and sums of the crops of a folder of shards."""
    store = CropStore(folder)
    content = []
    for video in store.videos():
        header = store.header(video)
        crops = [store.read(video, frame_ind) for frame_ind in header.frame_inds.tolist()]
        content.append([video, header.to_json(), [int(np.sum(crop.rgb)) for crop in crops]])
    return json.dumps(content)


def _crops_in_child(folder: Path) -> str:
    """Result of :func:`crops_content` in a child process, which LMDB may crash; 'refused' for a UserError."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            answer = crops_content(folder)
        except UserError:
            answer = 'refused'
        except BaseException as e:
            answer = f'{type(e).__name__}: {e}'
        os.write(send, answer.encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, 'rb') as f:
        answer = f.read().decode()
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) in (0, signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT), 'not in time'
    return answer or 'refused'


@given(st.data())
def test_shard_equal_or_refused(corpus, copy, data):
    (path,) = corpus.crops_dir.glob('*.lmdb')
    before = path.read_bytes()
    change = data.draw(st.lists(st.tuples(st.integers(0, len(before) - 1), st.integers(0, 7)), min_size=1, max_size=3))
    damaged = bytearray(before)
    for at, bit in change:
        damaged[at] ^= 1 << bit
    answer = _crops_in_child(copy(path, bytes(damaged)).parent)
    assert answer in ('refused', crops_content(corpus.crops_dir))


@given(st.data())
def test_sealed_value_equal_or_refused(data):
    header = CropHeader(32, {'clip': 20.0}, (48, 64), 900, np.array([0, 1]), np.ones((2, 3), int), np.array([0]))
    before = json.dumps(header.to_json()).encode()
    stored = data.draw(mutated(seal(b'h/a', before)))
    read = read_or_refuse(lambda: CropHeader.from_json(unseal(b'h/a', stored)))
    assert read is None or read.to_json() == json.loads(before) | {'frame_shape': (48, 64)}


@given(st.data())
def test_header_without_checksum_is_valid_or_refused(data):
    header = CropHeader(32, {'clip': 20.0}, (48, 64), 900, np.array([0, 1]), np.ones((2, 3), int), np.array([0]))
    changed = data.draw(mutated(json.dumps(header.to_json()).encode()))
    read = read_or_refuse(lambda: CropHeader.from_json(changed))
    if read is not None:
        assert len(read.frame_inds) == len(read.windows)
        assert 0 < read.size <= 4096
        assert read.windows[:, 2].min(initial=1) > 0


@given(st.data())
def test_corpus_json(corpus, copy, data):
    text = b'{"layout_version": 1, "name": "a", "sport": "", "fps": 25, "window": {"before_sec": 1, "after_sec": 0.5}}'
    path = copy(corpus.root / 'corpus.json', data.draw(mutated(text)))
    opened = read_or_refuse(lambda: Corpus.open(path.parent))
    if opened is not None:
        assert opened.fps is None or 0 < opened.fps <= 10_000
        read_or_refuse(opened.settings)


@given(st.data())
def test_videos_csv(corpus, copy, data):
    path = copy(corpus.videos_path, data.draw(mutated(corpus.videos_path.read_bytes())))
    videos = read_or_refuse(Corpus(path.parent, 'a').videos)
    if videos is not None:
        write_table(path, VideoInfo, videos.values())
        assert Corpus(path.parent, 'a').videos() == videos


@given(st.data())
def test_actions_csv(corpus, copy, data):
    path = copy(corpus.actions_path, data.draw(mutated(corpus.actions_path.read_bytes())))
    actions = read_or_refuse(lambda: load_actions(path, 1))
    if actions is not None:
        save_actions(path, actions)
        assert load_actions(path, 1) == actions


@given(st.data())
def test_classes(corpus, copy, data):
    path = copy(corpus.classes_path, data.draw(mutated('jump\nLäufer\nspin'.encode())))
    classes = read_or_refuse(lambda: load_classes(path))
    if classes is not None:
        save_classes(path, classes)
        assert load_classes(path) == classes


@given(st.data())
def test_sources(corpus, copy, data):
    """What a file says it was made of is damaged in itself, or names files that are not there."""
    path = corpus.teacher_dir('joints') / 'a.npz'
    source = b'{"poses": "p", "inputs": {"athlete/crops/a": "0", "teacher/joints/b.npz": "1", "../x.npz": "2"}}'
    damaged = copy(path, path.read_bytes())
    text = data.draw(mutated(source)).decode('latin-1')
    sequence = FeatureSequence.load(path)
    save_npz(damaged, FeatureSequence.KIND, vars(sequence) | {'source': np.array(text)})
    read_or_refuse(lambda: read_source(damaged))
    read_or_refuse(lambda: CorpusInputs(replace(corpus, root=damaged.parents[2])).check('teacher/joints/a.npz'))


@given(st.data())
def test_kept_digests(tmp_path_factory, data):
    root = tmp_path_factory.mktemp('digests', numbered=True)
    (root / 'kept').write_bytes(data.draw(mutated(b'{"a": [1, 2, 3, 4, "x"]}')))
    (root / 'a').write_text('a')
    assert FileDigests(root / 'kept')(root / 'a')[:8] == 'ca978112'
