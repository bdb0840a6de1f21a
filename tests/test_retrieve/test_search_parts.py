import os
import signal
from pathlib import Path

import numpy as np
import pytest
from sequence_corpus import make_corpus

from vpd_mm.errors import UserError
from vpd_mm.retrieve import ActionClips, Neighbours, SearchParts, rank_corpus, search_parts
from vpd_mm.structures import Action

TOOL = Path(__file__).parents[2] / 'tools' / 'retrieve.py'


@pytest.fixture
def clips(monkeypatch) -> ActionClips:
    """20 clips of 5 videos, in parts of 3 queries; those of the first four overlap with almost all others."""
    monkeypatch.setattr(search_parts, 'PART', 3)
    rng = np.random.default_rng(0)
    actions = [Action(f'a{i}', f'v{i // 4}', 10 * (i % 4), 10 * (i % 4) + 9, i % 3, 'train') for i in range(20)]
    lengths = rng.integers(5, 30, 20)
    return ActionClips(actions, [rng.normal(0, 1, (n, 2, 4)).cumsum(0).astype(np.float32) for n in lengths])


def equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    return True


def test_parts_of_several_processes_are_the_whole_search(clips, tmp_path):
    expected, metrics = rank_corpus(clips, clips, [1, 5])
    (tmp_path / 'p').mkdir()
    for rank in (2, 1):
        assert rank_corpus(clips, clips, [1, 5], parts=SearchParts(tmp_path / 'p', rank, 3)) == (None, {})
    assert len(list((tmp_path / 'p').iterdir())) == 4  # of 7
    seen = []
    first = SearchParts(tmp_path / 'p', 0, 3, lambda *numbers: seen.append(numbers))
    nearest, same = rank_corpus(clips, clips, [1, 5], parts=first)
    assert equal(nearest, expected)
    assert (same, first.num_searched) == (metrics, 8)
    assert seen == [(12, 20), (15, 20), (18, 20), (20, 20)]
    first.remove()
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match=r'pass --out FILE\.csv'):
        SearchParts(None, 0, 2)


def test_rank_0_searches_the_parts_of_processes_that_have_ended(clips, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(search_parts, 'PATIENCE_SEC', 0.1)
    expected, _ = rank_corpus(clips, clips, [5])
    (tmp_path / 'p').mkdir()
    rank_corpus(clips, clips, [5], parts=SearchParts(tmp_path / 'p', 1, 3))
    first = SearchParts(tmp_path / 'p', 0, 3)
    nearest, _ = rank_corpus(clips, clips, [5], parts=first)  # rank 2 of 3 was never started
    assert equal(nearest, expected)
    assert first.num_searched == 20 - 6
    assert 'queries from 15 on: their process is late or has ended' in caplog.text


def test_rank_0_waits_while_others_write_parts(clips, tmp_path, monkeypatch):
    expected, _ = rank_corpus(clips, clips, [5])
    first, other = SearchParts(tmp_path / 'p', 0, 2), SearchParts(tmp_path / 'p', 1, 2)
    pauses = []

    def pause(_: float) -> None:
        pauses.append(rank_corpus(clips, clips, [5], parts=other))

    monkeypatch.setattr(search_parts.time, 'sleep', pause)
    nearest, _ = rank_corpus(clips, clips, [5], parts=first)
    assert equal(nearest, expected)
    assert (first.num_searched, other.num_searched, pauses) == (11, 9, [(None, {})])


def test_a_late_process_ends_when_rank_0_has_all_results(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(search_parts, 'PATIENCE_SEC', 0)
    (tmp_path / 'p').mkdir()
    late = SearchParts(tmp_path / 'p', 1, 2)
    search = late._search

    def search_late(*args):
        part = search(*args)
        first = SearchParts(tmp_path / 'p', 0, 2)
        rank_corpus(clips, clips, [5], parts=first)
        first.remove()
        return part

    monkeypatch.setattr(late, '_search', search_late)
    assert rank_corpus(clips, clips, [5], parts=late) == (None, {})
    assert late.num_searched == 3
    assert not list(tmp_path.iterdir())


def test_a_process_that_starts_after_the_end_of_rank_0_has_no_work(clips, tmp_path, monkeypatch, caplog):
    pauses = []
    monkeypatch.setattr(search_parts, 'PATIENCE_SEC', 0.1)
    monkeypatch.setattr(search_parts.time, 'sleep', lambda _: pauses.append(clock.append(0.06)))
    clock = []
    monkeypatch.setattr(search_parts.time, 'monotonic', lambda: sum(clock))
    late = SearchParts(tmp_path / 'p', 1, 2)
    assert rank_corpus(clips, clips, [5], parts=late) == (None, {})
    assert (late.num_searched, len(pauses), list(tmp_path.iterdir())) == (0, 2, [])
    assert 'p: the first process does not make it, or has all results' in caplog.text


def test_parts_that_come_while_they_are_removed_leave_no_litter(clips, tmp_path, monkeypatch):
    first, late = (SearchParts(tmp_path / 'p', rank, 2) for rank in range(2))
    whole = Neighbours(*(np.zeros((1, 1)),) * 3)
    (tmp_path / 'p').mkdir()
    (tmp_path / 'p' / '.00000003-other.npz.0.tmp').write_bytes(b'of a killed search')
    late._search(lambda *_: whole, 0, 1, 'key')
    rmdir, late_parts = Path.rmdir, [3]

    def rmdir_after_a_part(folder: Path) -> None:
        if late_parts:
            late._search(lambda *_: whole, late_parts.pop(), 1, 'key')
        rmdir(folder)

    monkeypatch.setattr(Path, 'rmdir', rmdir_after_a_part)
    first.remove()
    assert not list(tmp_path.iterdir())


def test_a_part_that_comes_after_the_removal_makes_no_folder(clips, tmp_path, monkeypatch):
    first, late = (SearchParts(tmp_path / 'p', rank, 2) for rank in range(2))
    whole, save = Neighbours(*(np.zeros((1, 1)),) * 3), search_parts.save_npz
    (tmp_path / 'p').mkdir()
    first._search(lambda *_: whole, 0, 1, 'key')
    monkeypatch.setattr(search_parts, 'save_npz', lambda *args, **kw: (first.remove(), save(*args, **kw)))
    late._search(lambda *_: whole, 1, 2, 'key')
    assert not list(tmp_path.iterdir())


def test_a_part_whose_temporary_file_rank_0_removes_is_no_error(clips, tmp_path, monkeypatch):
    first, late = (SearchParts(tmp_path / 'p', rank, 2) for rank in range(2))
    (tmp_path / 'p').mkdir()
    replace = os.replace

    def replace_after_removal(*paths) -> None:
        first.remove()
        replace(*paths)

    monkeypatch.setattr(os, 'replace', replace_after_removal)
    assert rank_corpus(clips, clips, [5], parts=late) == (None, {})
    assert (late.num_searched, list(tmp_path.iterdir())) == (3, [])


def test_a_killed_search_resumes(clips, tmp_path, monkeypatch):
    expected, _ = rank_corpus(clips, clips, [5])
    pid = os.fork()
    if pid == 0:
        save, saved = search_parts.save_npz, []
        monkeypatch.setattr(
            search_parts,
            'save_npz',
            lambda *args, **kw: (
                saved.append(save(*args, **kw)) if len(saved) < 3 else os.kill(os.getpid(), signal.SIGKILL)
            ),
        )
        rank_corpus(clips, clips, [5], parts=SearchParts(tmp_path / 'p'))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    rest = SearchParts(tmp_path / 'p')
    nearest, _ = rank_corpus(clips, clips, [5], parts=rest)
    assert equal(nearest, expected)
    assert rest.num_searched == 20 - 9


def test_parts_of_another_search_and_damaged_ones_are_searched_again(clips, tmp_path):
    rank_corpus(clips, clips, [5], parts=SearchParts(tmp_path / 'p'))
    [third] = (tmp_path / 'p').glob('00000003-*.npz')
    third.write_bytes(b'damaged')
    again = SearchParts(tmp_path / 'p')
    rank_corpus(clips, clips, [5], parts=again)
    assert again.num_searched == 3
    for ks, change in (([4], 0.0), ([4], 1.0)):
        clips.clips[7][2, 1, 0] += change
        other = SearchParts(tmp_path / 'p')
        nearest, _ = rank_corpus(clips, clips, ks, parts=other)
        assert other.num_searched == 20
        assert equal(nearest, rank_corpus(clips, clips, ks)[0])


def test_a_part_whose_queries_have_few_candidates(clips):
    whole = [Action(f'w{i}', 'v0', 0, 40, 0, 'train') for i in range(4)]
    gallery = ActionClips([*whole, *clips.actions[4:8]], clips.clips[:8])
    nearest, _ = rank_corpus(gallery, gallery, [6])
    assert (nearest.inds >= 0).sum(axis=1).tolist() == [4] * 4 + [6] * 4
    alone = ActionClips(whole[:3], clips.clips[:3])
    nearest, _ = rank_corpus(ActionClips([*whole[:3], *clips.actions[4:5]], clips.clips[:4]), alone, [3])
    assert nearest.inds[:3].tolist() == [[-1] * 3] * 3
    assert sorted(nearest.inds[3]) == [0, 1, 2]


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'p').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(UserError, match='is a link'):
        SearchParts(tmp_path / 'p')
    (tmp_path / 'q').mkdir()
    (tmp_path / 'q' / '00000000.npz').symlink_to(tmp_path / 'x')
    with pytest.raises(UserError, match='is a link'):
        SearchParts(tmp_path / 'q')


def test_processes_of_a_launcher_write_one_table(run_python, tmp_path):
    actions = [Action(f'a{i:03d}', f'v{i % 10}', i, i + 9 + i % 9, i % 2, 'train') for i in range(140)]
    make_corpus(tmp_path / 'c', {f'v{i}': (25.0, 160) for i in range(10)}, actions)

    def run(out: str, rank: int | None = None):
        env = {} if rank is None else {'RANK': str(rank), 'WORLD_SIZE': '2', 'LOCAL_RANK': str(rank)}
        argv = '--corpus', 'c', '--features', 'joints', '--ks', 3, '--out', out
        return run_python(TOOL, *argv, cwd=tmp_path, env=env)

    assert 'searched 140 of 140 queries in this run' in run('one.csv').stdout
    (tmp_path / 'two.csv.parts').mkdir()
    other = run('two.csv', 1)
    assert other.stdout.startswith('process 1 of 2: searched 12 of 140 queries, '), other.stderr
    assert [path.name[:9] for path in (tmp_path / 'two.csv.parts').iterdir()] == ['00000128-']
    assert 'searched 128 of 140 queries in this process' in run('two.csv', 0).stdout
    assert (tmp_path / 'two.csv').read_bytes() == (tmp_path / 'one.csv').read_bytes()
    assert not (tmp_path / 'two.csv.parts').exists()
    assert (
        'pass --out FILE.csv'
        in run_python(
            TOOL, '--corpus', 'c', '--features', 'joints', cwd=tmp_path, env={'RANK': '1', 'WORLD_SIZE': '2'}
        ).stderr
    )
