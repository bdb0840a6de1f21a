"""A training that is killed around its saves, with one checkpoint kept, loses the epochs since the last at most."""

import random
import re
import time
from pathlib import Path

import pytest
from forked import finish_tool, start_tool
from sequence_corpus import make_corpus

from vpd_mm.compat import find_latest_checkpoint, load_checkpoint_safely
from vpd_mm.structures import Action

TRAIN = Path(__file__).resolve().parents[2] / 'tools' / 'train.py'
OPTIONS = [
    *('--cfg-options', 'default_hooks.checkpoint.max_keep_ckpts=1', 'default_hooks.checkpoint.interval=1'),
    *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False', 'log_level=INFO'),
]
#: What a kill follows: a save that starts, its file in place, the old file gone.
MOMENTS = ('starts', 'saved', 'removed')
MAX_DELAY_SEC = 0.05


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    splits = {'v0': 'train', 'v1': 'val', 'v2': 'test'}
    actions = [Action(video, video, 20, 40, 0, split) for video, split in splits.items()]
    return make_corpus(tmp_path_factory.mktemp('kills') / 'c', dict.fromkeys(splits, (25.0, 60)), actions)


def numbers(paths) -> set[int]:
    """Epochs in the names of files."""
    return {int(re.search(r'epoch_(\d+)\.pth', path.name)[1]) for path in paths}


def epochs(work: Path, pattern: str) -> set[int]:
    return numbers(work.glob(pattern))


def kill_around_save(process, work: Path, moment: str, delay: float) -> int:
    """Kill a training after a moment of one of its next saves; returns the last epoch that it had trained."""
    last = max(epochs(work, 'epoch_*.pth'), default=0)
    reached, left = last, set(work.glob('.epoch_*.tmp'))  # files of the kill before
    end = time.monotonic() + 120
    while process.exitcode is None:
        assert time.monotonic() < end, 'no save within two minutes'
        saved, saving = epochs(work, 'epoch_*.pth'), numbers(set(work.glob('.epoch_*.tmp')) - left)
        reached = max(saved | saving | {reached})
        happened = {'starts': saving, 'saved': saved - {last}, 'removed': saved - {last} and last not in saved}[moment]
        if happened and reached > last:
            time.sleep(delay)
            break
    process.kill()
    process.join()
    return max(epochs(work, 'epoch_*.pth') | numbers(set(work.glob('.epoch_*.tmp')) - left) | {reached})


@pytest.mark.parametrize(
    'kills', [1, pytest.param(3, marks=pytest.mark.full), pytest.param(30, marks=pytest.mark.kill)]
)
def test_no_kill_loses_more_than_the_epochs_since_the_last_save(corpus, tmp_path, kills):
    rng = random.Random(kills)  # noqa: S311  the moments of the kills
    work, files = tmp_path / 'work', {'out': tmp_path / 'out.txt', 'err': tmp_path / 'err.txt'}
    arguments = [TRAIN, 'configs/detect/bigru_detector.py', '--corpus', corpus.root, '--work-dir', work, '--resume']

    def start(max_epochs: int):
        return start_tool(*arguments, *OPTIONS, f'train_cfg.max_epochs={max_epochs}', cwd=Path.cwd(), **files)

    print(f'\n{"kill":>4} {"moment":>8} {"delay ms":>8} {"reached":>7} {"resumed":>7}')
    resumed = 0
    for kill in range(kills):
        moment, delay = MOMENTS[kill % len(MOMENTS)], rng.choice((0, rng.uniform(0, MAX_DELAY_SEC)))
        reached = kill_around_save(start(1000), work, moment, delay)
        last = find_latest_checkpoint(work)
        resumed = load_checkpoint_safely(last)['meta']['epoch'] if last else 0
        print(f'{kill + 1:>4} {moment:>8} {1000 * delay:>8.1f} {reached:>7} {resumed:>7}')
        assert reached - 1 <= resumed <= reached
    done = finish_tool(start(resumed + 2), **files, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f'resumed: epoch {resumed} is done' in done.stdout + done.stderr or not resumed
    assert max(epochs(work, 'epoch_*.pth')) == resumed + 2
    assert not list(work.glob('.*.tmp'))
