import resource
import sys

import detect
import fewshot
import numpy as np
import pytest
import torch
from mmengine.config import Config

from vpd_mm.engine import cli
from vpd_mm.engine.config import parse_options
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.written_configs import record_configs
from vpd_mm.errors import UserError


def parse(*argv):
    parser = cli.ToolParser()
    cli.add_train_arguments(parser)
    return parser.parse_args(argv)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'c.py'
    path.write_text('model = dict(depth=1)\noptim_wrapper = dict(optimizer=dict(lr=0.1))\ncustom_hooks = [dict(a=1)]\n')
    return path


def test_options_reach_the_config(config):
    cfg = cli.load_config(
        parse(str(config), '--cfg-options', 'model.depth=18', 'custom_hooks.0.a=[1,2]', 'resume=True')
    )
    assert cfg.model.depth == 18
    assert cfg.custom_hooks[0].a == [1, 2]
    assert cfg.resume is True
    assert cfg.work_dir == 'work_dirs/c'


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('modle.depth=18', "the config has no 'modle'; did you mean model.depth?"),
        ('model.depth', 'must be KEY=VALUE'),
        ('model.depth.deeper=1', 'does not fit the config'),
        ('custom_hooks.7.a=1', 'does not fit the config'),
    ],
)
def test_wrong_options_are_reported(config, option, message):
    with pytest.raises(UserError, match=message.replace('?', r'\?')):
        cli.load_config(parse(str(config), '--cfg-options', option))


@pytest.mark.parametrize(
    ('tool', 'option', 'instead'),
    [
        (detect, 'train_dataloader.dataset.subset=3', '--subset'),
        (detect, 'train_dataloader.dataset.max_videos=1', '--train-videos'),
        (detect, 'test_dataloader.dataset.split=val', '--split'),
        (fewshot, 'train_dataloader.dataset.ids_file=a.txt', '--k'),
        (fewshot, 'train_dataloader.dataset.dataset.ids_file=a.txt', '--k'),
    ],
)
def test_a_field_that_an_argument_sets_is_no_option(tool, option, instead):
    with pytest.raises(UserError, match=f': pass {instead} instead, which sets it'):
        tool.main(['no_config.py', '--cfg-options', 'train_cfg.max_epochs=1', option])


def test_values_of_an_option_are_parsed():
    values = parse_options('--track', ['max_gap=5', 'motion=3.0', 'method=path', 'shots=False', 'size=(1,2)'])
    assert values == {'max_gap': 5, 'motion': 3.0, 'method': 'path', 'shots': False, 'size': (1, 2)}
    with pytest.raises(UserError, match='--track speed: must be KEY=VALUE'):
        parse_options('--track', ['speed'])


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('no/such.py', r'config no/such\.py: no such file; looked for'),
        ('nopackage::x.py', "package 'nopackage' is not installed"),
        ('bad.py', r'bad\.py: does not load as a config: SyntaxError'),
    ],
)
def test_a_config_that_is_missing_or_does_not_parse_is_reported(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'bad.py').write_text('model = dict(')
    with pytest.raises(UserError, match=message):
        cli.load_config(parse(name))


def test_configs_of_the_project_and_of_mmaction_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert 'STGCN' in cli.load_config(parse('configs/baselines/stgcn_joint_8e_generated.py')).model.backbone.type
    theirs = cli.load_config(parse('mmaction::skeleton/stgcn/stgcn_8xb16-joint-u100-80e_ntu60-xsub-keypoint-2d.py'))
    assert theirs.default_scope == 'mmaction'


def test_train_arguments_reach_the_config(config):
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper'), auto_scale_lr=dict(enable=False)))
    args = parse(str(config), '--amp', '--auto-scale-lr', '--seed', '7', '--deterministic', '--resume')
    cli.merge_train_arguments(cfg, args)
    assert cfg.optim_wrapper == dict(type='AmpOptimWrapper', loss_scale='dynamic')
    assert cfg.auto_scale_lr.enable
    assert cfg.randomness == dict(seed=7, deterministic=True)
    assert cfg.resume is True
    assert cfg.load_from is None


def test_arguments_that_do_not_fit_are_reported(config):
    with pytest.raises(UserError, match='no such checkpoint'):
        cli.merge_train_arguments(Config(dict()), parse(str(config), '--resume', 'nothing.pth'))
    with pytest.raises(UserError, match='auto_scale_lr'):
        cli.merge_train_arguments(Config(dict()), parse(str(config), '--auto-scale-lr'))
    with pytest.raises(UserError, match='invalid choice'):
        parse(str(config), '--launcher', 'rocket')


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (UserError('a.csv:\n bad'), 'error: a.csv: bad'),
        (FileNotFoundError(2, 'No such file or directory', 'x.mp4'), 'error: x.mp4: No such file or directory'),
        (KeyError('k'), "error: KeyError: 'k' (--debug shows where)"),
    ],
)
def test_errors_become_one_line_and_status_1(error, line, capsys):
    def main(argv):
        raise error

    with pytest.raises(SystemExit) as stop:
        cli.run_tool(main, [])
    assert stop.value.code == 1
    assert capsys.readouterr().err == line + '\n'
    with pytest.raises(SystemExit) as stop:
        cli.run_tool(main, ['--debug'])
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith('Traceback')


@pytest.mark.parametrize(
    ('environment', 'ranks', 'device'),
    [
        ({}, (0, 1, 0), 'cuda'),
        ({'RANK': '3', 'WORLD_SIZE': '8', 'LOCAL_RANK': '3'}, (3, 8, 3), 'cuda:1'),
        ({'RANK': '4', 'WORLD_SIZE': '8', 'LOCAL_RANK': '0'}, (4, 8, 0), 'cuda:0'),
        ({'SLURM_PROCID': '3', 'SLURM_STEP_NUM_TASKS': '8'}, (3, 8, 3), 'cuda:1'),
        (
            {'SLURM_PROCID': '5', 'SLURM_STEP_NUM_TASKS': '8', 'SLURM_LOCALID': '1', 'LOCAL_RANK': '0'},
            (5, 8, 1),
            'cuda:1',
        ),
    ],
    ids=str,
)
def test_ranks_come_from_the_launcher_and_share_the_gpus_of_their_machine(monkeypatch, environment, ranks, device):
    for names in cli.LAUNCHERS.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    assert cli.launcher_ranks() == ranks
    assert pick_device('auto') == device
    assert pick_device('cpu') == 'cpu'


def test_help_shows_defaults_once(capsys):
    parser = cli.ToolParser('One line.\n\n  tools/x.py A')
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    parser.add_argument('--out', help='folder; default: runs')
    with pytest.raises(SystemExit):
        parser.parse_args(['--help'])
    text = capsys.readouterr().out
    assert 'One line.\n\n  tools/x.py A\n' in text
    assert 'random seed (default: 0)' in text
    assert 'None' not in text


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc')
def test_reused_blocks_cause_no_page_faults():
    cli.keep_freed_memory()

    def page_faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            np.ones(4 << 20, np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    page_faults()
    assert page_faults() < 1024  # newly mapped blocks would cause 20,480


OUTPUT = """
import os, sys
from pathlib import Path
from vpd_mm.engine.cli import log_output
print('before')
with log_output(Path('logs/run.log')) as console:
    print('printed')
    print('warned', file=sys.stderr)
    os.system('echo child')
    console.print('progress')
print('after')
"""


def test_only_the_console_reaches_the_terminal(run_python, tmp_path):
    for _ in range(2):
        done = run_python('-c', OUTPUT, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ['before', 'progress', 'after']
        assert done.stderr == ''
    assert sorted((tmp_path / 'logs' / 'run.log').read_text().split()) == sorted(2 * ['printed', 'warned', 'child'])


def test_the_config_is_not_replaced_by_its_copy(config, tmp_path):
    config = config.rename(tmp_path / 'config.py')
    config.write_text('# mine\nmodel = dict(type="A")\n')
    with pytest.raises(UserError, match=r'config\.py: would be replaced by a copy of the config'):
        cli.load_config(parse(str(config), '--work-dir', str(tmp_path)))
    copy = f"model = dict(type='A')\nwork_dir = '{tmp_path}'\n"
    config.write_text(copy)
    record_configs([config])  # as a training does
    assert cli.load_config(parse(str(config), '--work-dir', str(tmp_path))).work_dir == str(tmp_path)
    assert config.read_text() == copy
    config.write_text(copy + "note = 'edited'\n")
    cli.load_config(parse(str(config), '--work-dir', str(tmp_path)))
    assert not config.exists()
    assert (tmp_path / 'config-1.py').read_text() == copy + "note = 'edited'\n"


def test_threads_of_openmp_wait_without_spinning(run_python, tmp_path):
    """It has to be set before torch is imported, which reads it then."""
    code = (
        'import os, sys; os.environ.pop("OMP_WAIT_POLICY"); from vpd_mm.engine.cli import run_tool; '
        'imported = "OMP_WAIT_POLICY" in os.environ; '
        'run_tool(lambda _: print(imported, os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules))'
    )
    assert run_python('-c', code, cwd=tmp_path, env={'OMP_WAIT_POLICY': 'ACTIVE'}).stdout == 'False PASSIVE False\n'


def test_a_deprecation_is_one_line_and_other_warnings_keep_their_source():
    assert cli._plain_deprecation('a is b', DeprecationWarning, 'x.py', 3) == 'warning: a is b\n'
    assert cli._plain_deprecation('a is b', UserWarning, 'x.py', 3).startswith('x.py:3: UserWarning: a is b')
