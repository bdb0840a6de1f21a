"""A link in a work dir that came from elsewhere: the tools refuse it, and what it leads to stays as it is."""

from contextlib import nullcontext
from pathlib import Path

import fewshot
import pytest
import train
from comparison_corpus import easy_corpus, plan_of, write_comparison
from mmengine.hooks import CheckpointHook

from vpd_mm.engine.checkpoint_choice import best_checkpoint
from vpd_mm.engine.config import read_config
from vpd_mm.engine.model_files import find_trained
from vpd_mm.engine.run import build_runner, train_once
from vpd_mm.errors import UserError
from vpd_mm.experiments import RunStore, execute, run_missing
from vpd_mm.features.action_window_dataset import ActionWindowDataset
from vpd_mm.features.corpus_config import adapt_config

CONFIG = 'configs/recognize/bigru.py'
FILES = ('epoch_7.pth', 'iter_5.pth', 'last_checkpoint', 'config.py', '0.err')


@pytest.fixture
def mine(tmp_path) -> Path:
    """A folder of the user with a file under each name that tools write or remove."""
    folder = tmp_path / 'mine'
    folder.mkdir(mode=0o755)
    for name in FILES:
        (folder / name).write_text("work_dir = 'mine'\n")
    return folder


def check_unchanged(mine: Path) -> None:
    assert {path.name: path.read_text() for path in mine.iterdir()} == dict.fromkeys(FILES, "work_dir = 'mine'\n")
    assert mine.stat().st_mode & 0o777 == 0o755


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return easy_corpus(tmp_path_factory.mktemp('data') / 'easy')


@pytest.mark.parametrize('target', ['last_checkpoint', 'config.py', 'nothing', '.'])
@pytest.mark.parametrize('name', ['last_checkpoint', 'config.py', 'runs', 'jobs', 'results.csv', '20260101_000000'])
@pytest.mark.parametrize('tool', [train, fewshot])
def test_a_link_in_the_work_dir_of_a_tool(corpus, tmp_path, mine, tool, name, target):
    link(tmp_path / 'w' / name, mine / target)
    with pytest.raises(UserError, match=f'{name}: is a link to .*mine'):
        tool.main([CONFIG, '--corpus', str(corpus.root), '--features', 'joints', '--work-dir', str(tmp_path / 'w')])
    check_unchanged(mine)


@pytest.mark.parametrize(
    'name', ['last_checkpoint', '20260101_000000', '20260101_000000/vis_data', '20260101_000000/vis_data/config.py']
)
def test_a_link_where_a_runner_writes(corpus, tmp_path, mine, name):
    link(tmp_path / 'w' / name, mine)
    cfg = adapt_config(read_config(CONFIG), str(corpus.root), features='joints')
    cfg.work_dir = str(tmp_path / 'w')
    with pytest.raises(UserError, match=f'{name}: is a link to .*mine'):
        build_runner(cfg)
    check_unchanged(mine)


@pytest.mark.parametrize('after', ['', '.finished'])
def test_a_link_in_place_of_a_training(corpus, tmp_path, mine, after):
    cfg = adapt_config(read_config(CONFIG), str(corpus.root), features='joints')
    cfg.merge_from_dict({'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1, 'log_level': 'ERROR'})
    name = f'distill{after}'
    link(tmp_path / 'work' / name, mine / 'nothing' if after else mine)
    with nullcontext() if after else pytest.raises(UserError, match=f'{name}: is a link to .*mine'):
        train_once(cfg, tmp_path / 'work' / 'distill', lambda *done: None)
    check_unchanged(mine)


@pytest.mark.parametrize('name', ['', '/last_checkpoint', '/5-folds-0', '.lock'])
def test_a_link_in_place_of_a_run(corpus, tmp_path, mine, name):
    run, store = plan_of(write_comparison(tmp_path / 'c.py', corpus)).runs[0], RunStore(tmp_path / 'runs')
    path = store.root / f'.{run.key}-0.lock' if name == '.lock' else Path(f'{store.work_dir(run.key)}{name}')
    link(path, mine / 'config.py' if name == '.lock' else mine)
    with pytest.raises(UserError, match=f'{path.name}: is a link to .*mine'):
        execute(run, store)
    check_unchanged(mine)


def test_a_link_in_place_of_the_folder_of_jobs(corpus, tmp_path, mine):
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus))
    link(tmp_path / 'jobs', mine)
    with pytest.raises(UserError, match=r'jobs: is a link to .*mine'):
        run_missing(plan.runs, RunStore(tmp_path / 'runs'), executor='debug')
    check_unchanged(mine)


def test_a_work_dir_and_its_checkpoints_may_be_links(corpus, tmp_path):
    (tmp_path / 'disk').mkdir()
    (tmp_path / 'w').symlink_to(tmp_path / 'disk')
    (tmp_path / 'mine.pth').write_bytes(b'mine')
    (tmp_path / 'disk' / 'epoch_1.pth').symlink_to(tmp_path / 'mine.pth')
    arguments = [CONFIG, '--corpus', str(corpus.root), '--features', 'joints', '--work-dir', str(tmp_path / 'w')]
    one_epoch = ['train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1']
    train.main([*arguments, '--no-validate', '--overwrite', '--cfg-options', *one_epoch])
    assert (tmp_path / 'mine.pth').read_bytes() == b'mine'
    assert not (tmp_path / 'disk' / 'epoch_1.pth').is_symlink()


def raise_damaged(*args):
    raise UserError('damaged sample')


def test_the_best_checkpoint_of_a_replaced_training_is_not_used(corpus, tmp_path, monkeypatch):
    work = tmp_path / 'w'
    work.mkdir()
    arguments = [CONFIG, '--corpus', str(corpus.root), '--features', 'joints', '--work-dir', str(work), '--no-validate']
    one_epoch = ['train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1']
    for name in ('best_nll_epoch_9.pth', 'epoch_10.pth'):
        (work / name).write_bytes(b'old')
    (work / 'training.json').write_text('{"best": {"checkpoint": "best_nll_epoch_9.pth"}}')
    with pytest.raises((OSError, UserError), match='missing'):
        train.main([*arguments, '--overwrite', '--cfg-options', 'load_from=missing.pth'])
    with monkeypatch.context() as patch:
        patch.setattr(ActionWindowDataset, 'prepare_data', raise_damaged)
        with pytest.raises(UserError, match='damaged sample'):
            train.main([*arguments, '--overwrite', '--cfg-options', *one_epoch])
    assert best_checkpoint(work) == work / 'best_nll_epoch_9.pth'  # nothing was trained
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointHook, 'after_train_epoch', raise_damaged)
        with pytest.raises(UserError, match='damaged sample'):
            train.main([*arguments, '--overwrite', '--cfg-options', *one_epoch])
    kept = {'best_nll_epoch_9.pth', 'epoch_10.pth', 'training.json'}
    assert {path.name for path in (work / 'replaced').iterdir()} == kept  # no checkpoint was saved
    assert best_checkpoint(work) is None
    train.main([*arguments, '--cfg-options', *one_epoch])
    assert find_trained(work).checkpoints == [str(work / 'epoch_1.pth')]
    assert not (work / 'replaced').exists()
