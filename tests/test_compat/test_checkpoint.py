"""A Runner resumes from its own checkpoint; anything else in a checkpoint is refused before it runs."""

import collections
import functools
import os
import pathlib

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmengine.runner.checkpoint import _load_checkpoint

from vpd_mm.compat import load_checkpoint_safely
from vpd_mm.compat.checkpoint import FORBID, FORCE
from vpd_mm.errors import UserError


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        out = self.layer(torch.stack(inputs))
        return {'loss': out.pow(2).mean()} if mode == 'loss' else [out.mean()]


class Mean(BaseMetric):
    default_prefix = 'test'

    def process(self, data_batch, data_samples):
        self.results += [float(sample) for sample in data_samples]

    def compute_metrics(self, results):
        return {'mean': np.float64(np.mean(results)), 'single': np.float32(1)}


class Points(torch.utils.data.Dataset):
    metainfo = {'classes': ('a', 'b'), 'sigmas': np.ones(3, np.float32), 'colors': np.zeros((2, 3), np.uint8)}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {'inputs': torch.full((2,), float(index)), 'data_samples': torch.zeros(1)}


def runner(folder, epochs, resume):
    def loader():
        return {'dataset': Points(), 'batch_size': 2, 'sampler': {'type': 'DefaultSampler', 'shuffle': False}}

    validation = dict(val_dataloader=loader(), val_evaluator=Evaluator([Mean()]), val_cfg={})
    return Runner(
        model=Line(),
        work_dir=str(folder),
        train_dataloader=loader(),
        **validation,
        train_cfg={'by_epoch': True, 'max_epochs': epochs, 'val_interval': 1},
        optim_wrapper={'type': 'OptimWrapper', 'optimizer': {'type': 'AdamW', 'lr': 1e-3}},
        param_scheduler=[
            {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'end': 2},
            {'type': 'MultiStepLR', 'milestones': [1, 2]},
            {'type': 'CosineRestartLR', 'periods': [2, 2], 'restart_weights': [1, 0.5], 'eta_min': 0},
        ],
        custom_hooks=[{'type': 'EMAHook'}],
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'save_best': 'test/mean', 'rule': 'greater'}},
        default_scope='mmengine',
        experiment_name=f'resume {epochs}',
        log_level='ERROR',
        resume=resume,
    )


def test_runner_resumes_and_checkpoint_reads_back(tmp_path):
    runner(tmp_path, epochs=1, resume=False).train()
    again = runner(tmp_path, epochs=2, resume=True)
    again.train()
    assert again.epoch == 2
    history, _ = again.message_hub.get_scalar('train/loss').data
    assert len(history) == 4  # two iterations before the break, two after

    saved = load_checkpoint_safely(tmp_path / 'epoch_2.pth')
    assert saved['meta']['epoch'] == 2
    assert saved['meta']['dataset_meta']['sigmas'].dtype == np.float32
    assert saved['message_hub']['log_scalars']['train/loss'].statistics('mean') == pytest.approx(history.mean())


class Calls:
    """Pickles as a call, as an attacker's object does."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Own:
    pass


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize(
    ('attack', 'named'),
    [
        (lambda mark: Calls(os.system, f'touch {mark}'), 'system'),
        (lambda mark: Calls(eval, f'open({str(mark)!r}, "w")'), 'eval'),
        (lambda mark: Calls(getattr, collections.OrderedDict, 'fromkeys'), 'getattr'),
        (lambda mark: Calls(pathlib.Path.touch, mark), 'pathlib'),
        (lambda mark: functools.partial(os.system, f'touch {mark}'), 'functools.partial'),
        (lambda mark: Own(), 'Own'),
        (lambda mark: np.array([Own()], dtype=object), ''),
    ],
)
def test_anything_else_is_refused_and_nothing_runs(tmp_path, attack, named, legacy):
    mark, file = tmp_path / 'was_run', tmp_path / 'bad.pth'
    data = {'state_dict': Line().state_dict(), 'extra': attack(mark)}
    torch.save(data, file, _use_new_zipfile_serialization=not legacy)
    for load in (load_checkpoint_safely, _load_checkpoint, lambda path: load_checkpoint(Line(), path)):
        with pytest.raises(UserError, match=r'bad\.pth was refused and nothing in it was run') as error:
            load(str(file))
        assert named in str(error.value)
        assert '\n' not in str(error.value)
    assert not mark.exists()


def test_no_environment_variable_allows_unsafe_loading(tmp_path, monkeypatch):
    mark, file = tmp_path / 'was_run', tmp_path / 'bad.pth'
    torch.save({'x': Calls(os.system, f'touch {mark}')}, file)
    monkeypatch.setenv(FORBID, '1')
    with pytest.raises(UserError, match='refused'):
        _load_checkpoint(str(file))
    assert not mark.exists()
    assert os.environ[FORBID] == '1'
    assert FORCE not in os.environ


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('part', [0, 0.01, 0.3, 0.6, 0.999])
def test_truncated_file_is_one_clear_error(tmp_path, part, legacy):
    whole, file = tmp_path / 'whole.pth', tmp_path / 'cut.pth'
    torch.save({'state_dict': torch.nn.Linear(20, 20).state_dict()}, whole, _use_new_zipfile_serialization=not legacy)
    content = whole.read_bytes()
    file.write_bytes(content[: int(len(content) * part)])
    for load in (load_checkpoint_safely, _load_checkpoint):
        with pytest.raises(UserError, match=r'cut\.pth.* damaged \(truncated\?\)') as error:
            load(str(file))
        assert '\n' not in str(error.value)


@pytest.mark.parametrize('content', [b'not a checkpoint, a text' * 20, bytes(range(256)) * 8, b'\x80\x04K\x01.'])
def test_other_files_are_one_clear_error(tmp_path, content):
    file = tmp_path / 'notes.pth'
    file.write_bytes(content)
    with pytest.raises(UserError, match=r'notes\.pth.*not written by torch\.save'):
        _load_checkpoint(str(file))


def test_missing_file_and_unknown_model_keep_their_own_errors(tmp_path):
    with pytest.raises(UserError, match=r'none\.pth: no such file'):
        _load_checkpoint(str(tmp_path / 'none.pth'))
    with pytest.raises(KeyError):
        CheckpointLoader.load_checkpoint('torchvision://no_such_model')
