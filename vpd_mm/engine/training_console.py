"""The console of a Runner: a summary, a line per epoch, the result, warnings; its log file has the rest."""

import datetime
import logging
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine import dist
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MMLogger
from mmengine.runner.base_loop import BaseLoop

from ..errors import counted
from ..files import read_json, write_json

#: File in the work dir of a training; see :func:`training_record`.
RECORD = 'training.json'
#: Part of mmaction2's ``AccMetric`` to what it computes; a metric of this project has ``meanings`` of its own.
_ACCURACIES = {
    'top_k_accuracy': 'topK = share of the clips whose class is among the K most likely',
    'mean_class_accuracy': 'mean1 = top1 of each class, averaged',
}
#: Longest training with a line for each epoch; in longer ones short epochs without validation are left out.
_ALL_EPOCHS, _PAUSE_SEC = 50, 2.0
#: Most numbers of a line.
_MOST_NUMBERS = 5


class _OwnLines(logging.Filter):
    """Pass warnings, and the messages of this project.

    mmengine warns of its own ``FileClient``, which its checkpoint hook uses in every training.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        frame = sys._getframe(1)
        while frame.f_back and frame.f_globals.get('__name__', '').startswith(('logging', 'mmengine.logging')):
            frame = frame.f_back
        module = frame.f_globals.get('__name__', '')
        if record.levelno >= logging.WARNING:
            return module != 'mmengine.fileio.file_client'
        return module.split('.')[0] in ('vpd_mm', '__main__')


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = f'{record.levelname.lower()}: ' if record.levelno >= logging.WARNING else ''
        return level + super().format(record)


_OWN_LINES, _PLAIN = _OwnLines(), _PlainFormatter('%(message)s')


def quiet_console(logger: MMLogger) -> MMLogger:
    """Leave the warnings and the messages of this project on the console of a Runner; its file keeps all."""
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.addFilter(_OWN_LINES)
            handler.setFormatter(_PLAIN)
    return logger


def training_record(work_dir: Path) -> dict[str, Any]:
    """Read what the training of a work dir has shown.

    Returns:
        ``summary`` and ``warnings`` (lists of lines), ``steps`` (done, all, unit 'epoch' or 'iteration'), and with
        validations ``best``: ``step``, ``checkpoint`` (name) and ``metrics``.

    Raises:
        UserError: there is none, or it is damaged.
    """
    return read_json(work_dir / RECORD, 'train again')


class ConsoleHook(Hook):
    """Show a summary before the training, a line per epoch and the best epoch at the end.

    Data sets may have these methods, all optional:

    - ``summary()``: lines about the samples;
    - ``used_videos()``: their videos; those of the training in the validation are a warning;
    - ``warnings()``: of a training set, lines about what makes results too good;
    - ``compare_with(dataset_meta, where, training)``: warnings about a checkpoint that is loaded.

    Metrics may have ``meanings``: what a number is and its unit, such as 'pck = share of ...'.  Hooks that add a number
    may have ``meaning``.
    """

    priority = 'LOWEST'  # after CheckpointHook has chosen the best checkpoint

    def __init__(self) -> None:
        self._record: dict[str, Any] = {}
        self._pending, self._last_line = '', 0.0

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        meta, where = (checkpoint.get('meta') or {}).get('dataset_meta') or {}, runner._load_from or runner.work_dir
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            compare = getattr(loop.dataloader.dataset, 'compare_with', None) if isinstance(loop, BaseLoop) else None
            for line in compare(meta, f'checkpoint {where}', loop is runner._train_loop) if compare else ():
                runner.logger.warning(line)

    def before_train(self, runner) -> None:
        self._start, self._start_iter = time.monotonic(), runner.iter
        self._by_epoch = type(runner.train_loop).__name__.startswith('Epoch')
        self._unit = 'epoch' if self._by_epoch else 'iteration'
        training = runner.train_dataloader.dataset
        validation = runner.val_loop and runner.val_dataloader.dataset
        lines = self._lines(runner, training, validation)
        warnings: list[str] = training.warnings() if hasattr(training, 'warnings') else []
        if hasattr(training, 'used_videos') and hasattr(validation, 'used_videos'):
            held_out = validation.used_videos()
            shared = set(held_out) & set(training.used_videos())
            if shared:
                warnings.append(
                    f'{len(shared)} of {len(held_out)} validation videos also train: the numbers are too good, new '
                    'videos give worse ones'
                )
        if runner.iter:
            done = runner.epoch if self._by_epoch else runner.iter
            lines.append(f'resumed: {self._unit} {done} is done')
        self._record = {'summary': lines, 'warnings': warnings, 'best': self._former_best(runner)}
        for line in lines:
            runner.logger.info(line)
        for line in warnings:
            runner.logger.warning(line)

    def _lines(self, runner, training: Any, validation: Any) -> list[str]:
        loop, batches = runner.train_loop, len(runner.train_dataloader)
        length = counted(loop.max_iters, 'batch')
        if self._by_epoch:
            length = f'{counted(loop.max_epochs, "epoch")} of {counted(batches, "batch")}'
        first, *more = _describe(training)
        lines = [f'training: {first}; {length} of {runner.train_dataloader.batch_sampler.batch_size}', *more]
        lines += [f'validation: {"; ".join(_describe(validation))}'] if validation else ['validation: none']
        if validation and (meanings := _meanings(runner.val_evaluator.metrics)):
            lines.append('; '.join(meanings))
        best = (
            f'best checkpoint: {chosen}' if validation and (chosen := _choice(runner)) else 'checkpoint: the last one'
        )
        return [*lines, f'{best}; log file, settings and checkpoints: {runner.work_dir}']

    def _former_best(self, runner) -> dict[str, Any] | None:
        """The best epoch before a training was resumed."""
        path, best = Path(runner.work_dir) / RECORD, runner.message_hub.runtime_info.get('best_ckpt')
        former = training_record(Path(runner.work_dir)).get('best') if best and path.is_file() else None
        return former if former and former['checkpoint'] == Path(best).name else None

    def before_train_epoch(self, runner) -> None:
        self._show_pending(runner)

    def after_train_epoch(self, runner) -> None:
        if self._by_epoch:
            self._pending = self._line(runner, runner.epoch + 1, runner.max_epochs, {})

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        if not self._record:  # a validation alone, or that of a resumed training
            return
        done, count = (runner.epoch, runner.max_epochs) if self._by_epoch else (runner.iter, runner.max_iters)
        best, old = runner.message_hub.runtime_info.get('best_ckpt'), self._record['best']
        # one of another step is from before a resume, and its numbers are not known
        if best and Path(best).name != (old or {}).get('checkpoint') and Path(best).stem.endswith(f'_{done}'):
            numbers = {name: float(value) for name, value in (metrics or {}).items()}
            self._record['best'] = {'step': done, 'checkpoint': Path(best).name, 'metrics': numbers}
        self._pending, text = '', self._line(runner, done, count, metrics or {})
        mark = '  *' if self._record['best'] is not old else ''
        self._show(runner, f'{text}{mark}')
        self._save(runner, done, count)

    def after_train(self, runner) -> None:
        self._show_pending(runner, last=True)
        done, count = (runner.epoch, runner.max_epochs) if self._by_epoch else (runner.iter, runner.max_iters)
        if best := self._record['best']:
            path = Path(runner.work_dir) / best['checkpoint']
            numbers = self._numbers(runner, best['metrics'])
            self._show(runner, f'best: {self._unit} {best["step"]} of {count}: {numbers}  {path}')
        elif not runner.val_loop:
            self._show(runner, f'trained {done} {self._unit}s in {_duration(time.monotonic() - self._start)}')
        self._save(runner, done, count)

    def after_test_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        for line in _describe(runner.test_dataloader.dataset):
            runner.logger.info(f'test: {line}')
        for text in _meanings(runner.test_evaluator.metrics):
            runner.logger.info(text)
        numbers = '  '.join(f'{name} {value:.4g}' for name, value in (metrics or {}).items() if not _is_time(name))
        runner.logger.info(f'result: {numbers}')

    def _line(self, runner, done: int, count: int, metrics: dict[str, Any]) -> str:
        seconds = (time.monotonic() - self._start) / max(1, runner.iter + (not metrics) - self._start_iter)
        remaining = max(0, runner.max_iters - runner.iter - (not metrics)) * seconds
        losses = runner.message_hub.log_scalars.get('train/loss')
        loss = f'  loss {losses.mean(len(runner.train_dataloader)):.4g}' if losses else ''
        numbers = self._numbers(runner, metrics)
        return f'{self._unit} {done}/{count}{loss}  {numbers}'.rstrip() + f'  eta {_duration(remaining)}'

    def _numbers(self, runner, metrics: dict[str, Any]) -> str:
        """The number that selects the best checkpoint, and the first others; no top-5 accuracy of few classes."""
        if not metrics:  # nothing is validated, and a CheckpointHook without save_best has no key_indicators
            return ''
        chosen = [key for hook in runner.hooks if isinstance(hook, CheckpointHook) for key in hook.key_indicators or ()]
        few = len(getattr(runner.val_dataloader.dataset, 'metainfo', {}).get('classes', range(6))) < 6
        names = [name for name in metrics if not _is_time(name) and not (few and _short(name) == 'top5')]
        names.sort(key=lambda name: name not in chosen)
        return '  '.join(f'{_short(name)} {metrics[name]:.4g}' for name in names[:_MOST_NUMBERS])

    def _show_pending(self, runner, last: bool = False) -> None:
        few = self._by_epoch and runner.max_epochs <= _ALL_EPOCHS
        if self._pending and (few or last or time.monotonic() - self._last_line >= _PAUSE_SEC):
            self._show(runner, self._pending)
        self._pending = ''

    def _show(self, runner, line: str) -> None:
        runner.logger.info(line)
        self._last_line = time.monotonic()

    def _save(self, runner, done: int, count: int) -> None:
        if dist.is_main_process():
            write_json(Path(runner.work_dir) / RECORD, {**self._record, 'steps': [done, count, self._unit]}, indent=1)


def _describe(dataset: Any) -> list[str]:
    samples = f'{counted(len(dataset), "sample")} of {type(dataset).__name__}'
    return dataset.summary() if hasattr(dataset, 'summary') else [samples]


def _meanings(metrics: Iterable[Any]) -> list[str]:
    of_upstream = [_ACCURACIES[name] for m in metrics for name in getattr(m, 'metrics', ()) if name in _ACCURACIES]
    return of_upstream + [text for metric in metrics for text in getattr(metric, 'meanings', ())]


def _choice(runner) -> str:
    """The number by which the best checkpoint is chosen; '' where none is."""
    added = {f'{hook.key}_mean': hook.meaning for hook in runner.hooks if hasattr(hook, 'meaning')}
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best:
            rules = {'less': 'lowest', 'greater': 'highest', None: 'best'}
            chosen = zip(hook.key_indicators, hook.rules, strict=True)
            lines = [
                (f'{rules[rule]} {"first number" if key == "auto" else _short(key)}', added.get(key))
                for key, rule in chosen
            ]
            return ', '.join(f'{line} ({meaning})' if meaning else line for line, meaning in lines)
    return ''


def _short(name: str) -> str:
    return name.rpartition('/')[2]


def _is_time(name: str) -> bool:
    return _short(name) in ('time', 'data_time')


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
