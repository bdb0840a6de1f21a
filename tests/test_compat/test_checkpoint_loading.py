"""A Runner resumes from its own checkpoint; anything else in a checkpoint is refused before it runs."""

import collections
import functools
import os
import pathlib
import shutil

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmengine.runner.checkpoint import _load_checkpoint, load_state_dict

from vpd_mm.compat import find_latest_checkpoint, load_checkpoint_safely
from vpd_mm.compat.checkpoint_loading import FORBID, FORCE
from vpd_mm.engine.hooks import RepeatValidationHook
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


SAVING = {'type': 'CheckpointHook', 'interval': 1, 'max_keep_ckpts': 1, 'save_best': 'test/mean', 'rule': 'greater'}


def runner(folder, epochs, resume, schedule=None, batch_size=2, hooks=()):
    def loader():
        return {'dataset': Points(), 'batch_size': batch_size, 'sampler': {'type': 'DefaultSampler', 'shuffle': False}}

    validation = dict(val_dataloader=loader(), val_evaluator=Evaluator([Mean()]), val_cfg={})
    return Runner(
        model=Line(),
        work_dir=str(folder),
        train_dataloader=loader(),
        **validation,
        train_cfg={'by_epoch': True, 'max_epochs': epochs, 'val_interval': 1},
        optim_wrapper={'type': 'OptimWrapper', 'optimizer': {'type': 'AdamW', 'lr': 1e-3}},
        param_scheduler=schedule
        or [
            {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'end': 2},
            {'type': 'MultiStepLR', 'milestones': [1, 2]},
            {'type': 'CosineRestartLR', 'periods': [2, 2], 'restart_weights': [1, 0.5], 'eta_min': 0},
        ],
        custom_hooks=[{'type': 'EMAHook'}, *hooks],
        default_hooks={'checkpoint': SAVING},
        default_scope='mmengine',
        experiment_name=f'resume {folder} {epochs}',  # mmengine keeps the best score of a name
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


def test_old_checkpoints_are_removed_after_the_new_one_is_saved(tmp_path, monkeypatch):
    training = runner(tmp_path, epochs=2, resume=False)
    save = training.save_checkpoint

    def disk_full(out_dir, filename, *args, **kwargs):
        if filename == 'epoch_2.pth':
            raise OSError(28, 'No space left on device')
        save(out_dir, filename, *args, **kwargs)

    monkeypatch.setattr(training, 'save_checkpoint', disk_full)
    with pytest.raises(OSError, match='No space left'):
        training.train()
    assert find_latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')
    (tmp_path / '.epoch_2.pth.abc.tmp').touch()  # of a killed process
    runner(tmp_path, epochs=2, resume=True).train()
    left = sorted(path.name for path in tmp_path.glob('*epoch*'))
    assert [name for name in left if not name.startswith('best_')] == ['epoch_2.pth']


def test_a_checkpoint_that_a_killed_process_had_not_removed_is_removed_by_the_next(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr('mmengine.fileio.backends.LocalBackend.remove', lambda *_: None)
        runner(tmp_path, epochs=2, resume=False).train()
    mine = tmp_path / 'epoch_0.pth'
    mine.touch()
    assert (tmp_path / 'epoch_1.pth').is_file()
    runner(tmp_path, epochs=2, resume=True).train()
    best, *left = sorted(path.name for path in tmp_path.glob('*.pth'))
    assert best in ('best_test_mean_epoch_1.pth', 'best_test_mean_epoch_2.pth')  # the weights are random
    assert left == ['epoch_0.pth', 'epoch_2.pth']


def test_a_moved_training_removes_only_files_of_its_own_folder(tmp_path):
    first, moved = tmp_path / 'first', tmp_path / 'moved'
    runner(first, epochs=1, resume=False).train()
    shutil.copytree(first, moved)
    saved = torch.load(moved / 'epoch_1.pth', weights_only=True)
    info = saved['message_hub']['runtime_info']
    [best] = moved.glob('best_*.pth')
    assert info['best_ckpt'] == str(first / best.name)
    info['best_score'] = -1e9  # every validation is better
    torch.save(saved, moved / 'epoch_1.pth')
    before = {path.name: path.read_bytes() for path in first.glob('*.pth')}
    runner(moved, epochs=2, resume=True).train()
    assert {path.name: path.read_bytes() for path in first.glob('*.pth')} == before
    assert sorted(path.name for path in moved.glob('*.pth')) == ['best_test_mean_epoch_2.pth', 'epoch_2.pth']

    (tmp_path / 'mine.pth').write_text('mine')
    info |= {'best_ckpt': str(tmp_path / 'mine.pth'), 'keep_ckpt_ids': ['/../../mine', '2']}
    for path in moved.glob('*.pth'):
        path.unlink()
    torch.save(saved, moved / 'epoch_1.pth')
    runner(moved, epochs=2, resume=True).train()
    assert (tmp_path / 'mine.pth').read_text() == 'mine'


def test_a_checkpoint_that_does_not_fit_the_training_is_named(tmp_path):
    training = runner(tmp_path, epochs=1, resume=False)
    for content in ({'state_dict': {}}, {'state_dict': {}, 'meta': {'epoch': 1, 'iter': 1}}):
        torch.save(content, tmp_path / 'other.pth')
        with pytest.raises(UserError, match=r'other\.pth: does not fit this training: '):
            training.resume(str(tmp_path / 'other.pth'))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    runner(folder, epochs=1, resume=False).train()
    return folder / 'epoch_1.pth'


def first_state(content):
    return content['optimizer']['state'][0]


NOT_WRITTEN = {
    'no optimizer': (lambda c: c.pop('optimizer'), 'no state of the optimizer'),
    'empty optimizer': (lambda c: c['optimizer'].update(state={}), 'state of its optimizer is empty'),
    'shape': (lambda c: first_state(c).update(exp_avg=torch.zeros(7)), 'exp_avg of parameter 0'),
    'kind': (lambda c: first_state(c).update(exp_avg=first_state(c)['exp_avg'].long()), 'exp_avg of parameter 0'),
    'optimizer step': (lambda c: first_state(c).update(step='x'), 'step of parameter 0'),
    'lr': (lambda c: c['optimizer']['param_groups'][0].update(lr=torch.zeros(1).expand(9)), 'lr of its optimizer'),
    'best text': (lambda c: c['message_hub']['runtime_info'].update(best_score='x'), 'best_score is no finite'),
    'best nan': (lambda c: c['message_hub']['runtime_info'].update(best_score=float('nan')), 'best_score is no finite'),
    'log': (lambda c: c['message_hub']['log_scalars'].update({'train/loss': [1]}), 'log of train/loss'),
    'epoch': (lambda c: c['meta'].update(epoch=2**52), 'already finished'),
    'whole weights': (lambda c: c.update(state_dict={k: v.long() for k, v in c['state_dict'].items()}), 'int64'),
}


@pytest.mark.parametrize('name', NOT_WRITTEN)
def test_a_training_resumes_only_from_what_a_training_writes(trained, tmp_path, name):
    change, message = NOT_WRITTEN[name]
    content = torch.load(trained, weights_only=True)
    change(content)
    torch.save(content, tmp_path / 'epoch_1.pth')
    with pytest.raises(UserError, match=rf'epoch_1\.pth: .*{message}'):
        runner(tmp_path, epochs=2, resume=True).train()


def test_a_finished_training_resumes_and_ends(trained, tmp_path):
    shutil.copy(trained, tmp_path)
    again = runner(tmp_path, epochs=1, resume=True)
    again.train()
    assert again.epoch == 1


class Rates(Hook):
    """Learning rate of every step."""

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(runner.optim_wrapper.get_lr()['lr'][0])


def cosine(**options):
    return [{'type': 'CosineAnnealingLR', 'by_epoch': True, 'convert_to_iter_based': True, **options}]


@pytest.mark.parametrize(
    ('batch_size', 'schedule'),
    [
        (2, cosine()),
        (1, cosine()),  # twice the steps an epoch
        (2, [{'type': 'LinearLR', 'start_factor': 0.1, 'end': 2}, *cosine(begin=2)]),
        (2, [{'type': 'MultiStepLR', 'milestones': [1, 4], 'gamma': 0.5}]),
    ],
)
def test_a_resumed_training_follows_the_schedule_of_its_config(tmp_path, batch_size, schedule):
    runner(tmp_path / 'w', 3, False, schedule).train()
    saved = torch.load(tmp_path / 'w' / 'epoch_3.pth', weights_only=True)
    saved['param_schedulers'] = [{'step': 5}, 'x']  # is not read
    torch.save(saved, tmp_path / 'w' / 'epoch_3.pth')
    whole, resumed = Rates(), Rates()
    runner(tmp_path / 'fresh', 6, False, schedule, batch_size, [whole]).train()
    runner(tmp_path / 'w', 6, True, schedule, batch_size, [resumed]).train()
    assert len(whole.seen) == 6 * 4 // batch_size
    assert resumed.seen == whole.seen[len(whole.seen) // 2 :]
    assert len(set(resumed.seen)) > 1


def test_early_stopping_counts_on_after_a_resume(tmp_path):
    hook = {'type': 'EarlyStoppingHook', 'monitor': 'test/single', 'rule': 'greater', 'min_delta': 0.1, 'patience': 3}
    runner(tmp_path, 2, False, hooks=[hook]).train()  # the first value is the best
    for folder, resume, hooks in (('whole', False, [hook]), ('', True, [hook, RepeatValidationHook()])):
        training = runner(tmp_path / folder, 9, resume, hooks=hooks)
        training.train()
        assert training.epoch == 4


def test_all_weights_are_loaded_or_the_first_keys_named(tmp_path):
    weights = Line().state_dict()
    extra = {**weights, 'layer.more': torch.zeros(1), 'layer.most': torch.zeros(1)}
    other = {**weights, 'layer.weight': torch.zeros(3, 2)}
    cases = [
        ({'layer.bias': weights['layer.bias']}, r'1 missing \(layer.weight\); pass'),
        (extra, r'2 not of this model \(layer.more, ...\)'),
        (other, r'1 of another shape \(layer.weight \(3, 2\), in the model \(1, 2\)\)'),
        ({'head.weight': torch.zeros(1)}, '2 missing .*; 1 not of this model'),
    ]
    test, training = runner(tmp_path, 1, False), runner(tmp_path, 1, False)
    test._hooks = training._hooks = []
    assert training.train_loop.max_epochs == 1  # it is built
    file = str(tmp_path / 'other.pth')
    for state, message in cases:
        torch.save({'state_dict': state}, file)
        with pytest.raises(UserError, match=rf'other\.pth: does not fit this training: {message}'):
            test.load_checkpoint(file)
    for state, _ in cases[:3]:
        torch.save({'state_dict': state}, file)
        training.load_checkpoint(file)  # fine-tuning starts from a part
    torch.save({'state_dict': cases[3][0]}, file)
    with pytest.raises(UserError, match='none of its 1 weights is one of this model'):
        training.load_checkpoint(file)


@pytest.mark.parametrize('dtype', [torch.complex64, torch.bool, torch.int64])
def test_weights_of_another_kind_are_refused_and_other_precisions_are_converted(tmp_path, dtype):
    weights = {key: value.to(dtype) for key, value in Line().state_dict().items()}
    torch.save({'state_dict': weights}, tmp_path / 'w.pth')
    with pytest.raises(ValueError, match=f'{dtype} where the model has torch.float32'):
        load_checkpoint(Line(), str(tmp_path / 'w.pth'))
    half = {key: value.half() for key, value in Line().state_dict().items()}
    model = Line()
    load_state_dict(model, half, strict=True)
    assert all(value.dtype == torch.float32 for value in model.parameters())


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
