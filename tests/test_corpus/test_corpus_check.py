"""check_corpus: a whole corpus passes, every kind of damage is named."""

import json
import os
import re
import shutil

import lmdb
import numpy as np
import pytest
from tiny_corpus import make_tiny

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.corpus.corpus_check import check_corpus
from vpd_mm.corpus.shard import CROP, HEADER, VIDEOS, unseal
from vpd_mm.errors import UserError
from vpd_mm.structures import Action, AthleteTrack, FrameTimes, save_actions


@pytest.fixture(scope='module')
def whole(tmp_path_factory) -> Corpus:
    return make_tiny(tmp_path_factory.mktemp('whole') / 'tiny', {'a': 25, 'b': 8})


@pytest.fixture
def corpus(whole, tmp_path) -> Corpus:
    return Corpus.open(shutil.copytree(whole.root, tmp_path / 'c'))


def _check(corpus):
    problems = []
    return check_corpus(corpus.root, problems.append), problems


def test_a_whole_corpus_has_no_problem(corpus):
    steps = []
    result = check_corpus(corpus.root, pytest.fail, lambda done, total: steps.append((done, total)))
    assert result.checked == {
        'corpus.json': 1,
        'videos.csv': 1,
        'annotations': 2,
        'shards': 1,
        'teacher': 2,
        'other arrays': 2,
        'crops': 2,
        'frames with a crop': 33,
    }
    assert result.notes == []
    assert steps == [(i, 6) for i in range(7)]


def _flip(path, at=-200):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _edit_shard(path, change):
    env = lmdb.open(str(path), subdir=False, lock=False, map_size=16 << 20)
    with env.begin(write=True) as txn:
        change(txn)
    env.close()


def _shard(corpus):
    return corpus.crops_dir / 'shard-000.lmdb'


def _put(key):
    return lambda corpus: _edit_shard(_shard(corpus), lambda txn: txn.put(key, b''))


def _flip_crop(txn):
    key = CROP + b'a/0000000003'
    value = bytearray(txn.get(key))
    value[500] ^= 1
    txn.put(key, value)


def _write(path, text=''):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _assert_problems(corpus, damages):
    """Each damage gives its problem, and there is no other one."""
    for damage, _ in damages:
        damage(corpus)
    result, problems = _check(corpus)
    for _, pattern in damages:
        assert any(re.search(pattern, line) for line in problems), (pattern, problems)
    assert result.problems.total() == len(problems) == len(damages)


def _actions(corpus, *spans):
    save_actions(corpus.actions_path, [Action(f'a:{i}', 'a', *span, 'train') for i, span in enumerate(spans)])


def test_damaged_files_are_named(corpus):
    shutil.rmtree(corpus.crops_dir)
    damages = [
        (lambda c: _flip(c.root / 'ground_truth' / 'a.npz', 2000), r'ground_truth/a\.npz.*checksum'),
        (lambda c: _flip(c.teacher_dir('joints') / 'a.npz', 2000), r'joints/a\.npz: unreadable.*CRC'),
        (lambda c: c.remove_videos(['b']), r"joints/b\.npz: video 'b' has no row in videos\.csv"),
        (lambda c: _actions(c, (3, 26, 0), (3, 4, 0)), r'actions\.csv: a:0: frame 25, but the video has 25 frames'),
        (lambda c: _write(c.fewshot_path(1, 0), 'a:0\na:7\n'), r"1_0\.txt: 1 of 2 are no action .* 'a:7'"),
        (lambda c: _write(c.fewshot_path(1, 1), 'a:0\na:0\n'), "names action 'a:0' twice"),
        (lambda c: _write(c.localize_path(0), 'a\nz\n'), "no video of this corpus, first 'z'"),
        (lambda c: _write(c.tracks_dir / '.a.npz.x.tmp'), r'\.tmp: left by a run that was killed'),
        (lambda c: os.mkfifo(c.root / 'pipe.npz'), r'pipe\.npz: is not a regular file'),
    ]
    _assert_problems(corpus, damages)


def test_what_does_not_fit_the_tables_is_named(corpus):
    corpus.add_videos([VideoInfo('a', '', 25.0, 20, 32, 32)])
    track = AthleteTrack(np.arange(25), np.tile(np.float32([1, 1, 9, 9]), (25, 1)), np.ones(25, np.float32))
    half = FrameTimes.variable(np.arange(21) / 12.5)
    damages = [
        (lambda c: track.save(c.track_path('a')), r'tracks/a\.npz: frame 24, but the video has 20 frames'),
        (lambda c: c.save_times('a', half), r'times/a\.npz: fps 12\.5, but .*videos\.csv has fps 25'),
        (lambda c: shutil.copytree(c.root / 'ground_truth', c.poses_dir('p')), r'poses/p/a\.npz: frame 24, but'),
        (lambda c: _write(c.fewshot_path(1, 0), 'a:0\nb:0\n'), r"1_0\.txt: 1 of 2 are of the split test, first 'b:0'"),
        (lambda c: _write(c.localize_path(0), 'a\nb\n'), r"0\.txt: 1 of 2 are of the split test, first 'b'"),
        (lambda c: c.classes_path.unlink(), r'classes\.txt: no such file, but there is .*actions\.csv'),
        (lambda c: None, r'shard-000\.lmdb: frame 24, but'),
        (lambda c: None, r'joints/a\.npz: frame 24, but'),
    ]
    _assert_problems(corpus, damages)


def test_a_video_file_that_differs_from_its_row_is_named(corpus, tmp_path):
    file = tmp_path / 'v.mp4'
    file.touch()
    found = {'fps': 25.0, 'num_frames': 25, 'width': 32, 'height': 32}
    corpus.add_videos([VideoInfo('a', str(file), 25.0, 25, 32, 32)])
    for name, value in {'fps': 30.0, 'num_frames': 24, 'width': 64, 'height': 64}.items():
        assert check_corpus(corpus.root, pytest.fail, probe=lambda path: found).checked['video files'] == 1
        problems = []
        check_corpus(corpus.root, problems.append, probe=lambda path, changed=found | {name: value}: changed)
        (problem,) = problems
        assert f"video 'a': {name} is {found[name]:g}, but {value:g} in {file}" in problem
    _write(corpus.root / 'corpus.json', json.dumps({'layout_version': 1, 'name': 'c', 'fps': 25}))
    other = found | {'fps': 50.0, 'num_frames': 50}
    assert check_corpus(corpus.root, pytest.fail, probe=lambda path: other).notes == []


def test_missing_pieces_are_noted(corpus):
    (corpus.teacher_dir('joints') / 'b.npz').unlink()
    corpus.add_videos([VideoInfo('c', '', 25.0, 20, 32, 32)])
    result, problems = _check(corpus)
    assert problems == []
    assert sorted(result.notes) == [
        'athlete/crops: 1 of 3 videos has none, first c',
        'teacher/joints: 2 of 3 videos have none, first b',
    ]


def test_damaged_tables_are_named(corpus):
    shutil.rmtree(corpus.crops_dir)
    damages = [
        (lambda c: _write(c.videos_path, 'video'), r'videos\.csv:1: header must be'),
        (lambda c: _actions(c, (3, 4, 1)), 'label 1 is not in classes.txt'),
    ]
    _assert_problems(corpus, damages)


def test_damaged_shards_are_named(corpus):
    shard = _shard(corpus)
    for number in (1, 2):
        shutil.copy(shard, shard.with_name(f'shard-00{number}.lmdb'))
    _edit_shard(shard, lambda txn: txn.delete(HEADER + b'a'))
    os.truncate(shard.with_name('shard-002.lmdb'), 9000)
    os.mkfifo(shard.with_name('shard-003.lmdb'))
    _, problems = _check(corpus)
    patterns = ['000.lmdb: damaged .videos are missing', '002.lmdb: cut short', '003.lmdb: is not a regular file']
    assert all(re.search(*both) for both in zip(patterns, problems, strict=True)), problems


def test_damaged_crops_are_named(corpus):
    damages = [
        (lambda c: _edit_shard(_shard(c), _flip_crop), "video 'a', frame 3: differs from its checksum"),
        (lambda c: _edit_shard(_shard(c), lambda txn: txn.delete(CROP + b'b/0000000004')), "'b' has no frame 4"),
        (_put(b'w/c'), "writing 'c' was interrupted"),
        (
            lambda c: _edit_shard(_shard(c), lambda txn: txn.put(CROP + b'x/0000000000', b'')),
            "without a header, first b'x'",
        ),
        (
            lambda c: _edit_shard(_shard(c), lambda txn: txn.put(CROP + b'a/0000000099', b'')),
            'holds 1 records that its header',
        ),
    ]
    _assert_problems(corpus, damages)


def test_crops_of_a_former_version_are_noted(corpus):
    def take_out_checksums(txn):
        for key, value in list(txn.cursor()):
            txn.delete(key) if key == VIDEOS else txn.put(key, unseal(key, value))

    _edit_shard(_shard(corpus), take_out_checksums)
    result, problems = _check(corpus)
    assert problems == []
    assert result.notes[0].startswith('2 videos with crops without checksums')


def test_a_shard_that_crashes_lmdb_costs_only_itself(corpus):
    from vpd_mm.corpus.corpus_check import _Reader

    with _Reader() as reader:
        with pytest.raises(UserError, match='x: damaged so that LMDB crashes'):
            reader('x', os.abort)
        assert reader('x', len, 'abc') == 3


def test_every_invalid_line_of_a_table_is_listed(corpus):
    lines = ['action_id,video,start_frame,end_frame,label,split', 'x,a,1,2,0,train']
    lines += [f'bad_{i},a,5,2,0,train' for i in range(2)] + [
        'y,a,1,2,9,train',
        'x,a,1,2,0,train',
        'z,a,1',
        'w,a,0,1,0,val',
    ]
    corpus.actions_path.write_text('\n'.join(lines) + '\n')
    problems = []
    assert check_corpus(corpus.root, problems.append).problems['annotations'] == 5
    assert [re.search(r'actions\.csv:(\d+): ', line)[1] for line in problems] == ['3', '4', '5', '6', '7']
    corpus.actions_path.write_text('\n'.join(lines[:1] + [f'bad_{i},a,5,2,0,train' for i in range(30)]) + '\n')
    problems.clear()
    check_corpus(corpus.root, problems.append)
    assert problems[-1].endswith('actions.csv: 10 more lines are not valid')
    (corpus.left_out_path).write_text('gone\n')
    problems.clear()
    check_corpus(corpus.root, problems.append)
    assert any(line.endswith("left_out.txt: no video 'gone' in this corpus") for line in problems)
