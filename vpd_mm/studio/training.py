"""Start, watch and cancel the training of a workspace, which runs in a process of its own."""

import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

from ..errors import UserError
from .predictions import PredictionStore, remove_others
from .training_worker import run_training, usable_labels
from .workspace import Workspace

#: Share of the time until the end of each stage, roughly.
_ENDS = {'start': 0.05, 'train': 0.85, 'predict': 0.99, 'save': 1.0}
_METHOD = 'forkserver' if 'forkserver' in multiprocessing.get_all_start_methods() else 'spawn'


class TrainingRunsError(UserError):
    """A training is running already."""


@dataclass(frozen=True)
class State:
    """State of the training: ``state`` is 'idle', 'running', 'done', 'cancelled' or 'failed'.

    Args:
        stage: 'start', 'train', 'predict' or 'save'; '' where none is running.
        done, total: Percent.
        eta_sec: Estimated seconds to the end; None where not known.
        error: One line of a failed training.
        report: Of the last complete training, also of an earlier session; None before the first one.
    """

    state: str = 'idle'
    stage: str = ''
    done: float = 0.0
    total: int = 100
    eta_sec: float | None = None
    error: str = ''
    report: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Trainer:
    """The training of a workspace; one trainer serves all threads."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self._store = workspace, PredictionStore(workspace)
        self._lock = threading.Lock()
        self._process: Any = None
        self._thread: threading.Thread | None = None
        self._is_cancelled = False
        self._state = State()

    def state(self) -> State:
        """The current state."""
        state = self._state
        if state.report is None and state.state != 'running':
            with suppress(UserError):
                return State(**{**vars(state), 'report': self._store.report()})
        return state

    def start(self) -> State:
        """Start a training.

        Raises:
            TrainingRunsError: one is running.
            UserError: there are too few labels, of one class, or no features.
        """
        with self._lock:
            if self._state.state == 'running':
                raise TrainingRunsError('a training is running; wait for it or cancel it')
            usable_labels(self.workspace)
            prepare_process()
            context: Any = multiprocessing.get_context(_METHOD)
            receiver, sender = context.Pipe(duplex=False)
            self._process = context.Process(target=run_training, args=(self.workspace, sender))
            self._process.start()
            sender.close()
            self._is_cancelled = False
            self._state = State('running', 'start')
            self._thread = threading.Thread(target=self._watch, args=(self._process, receiver), daemon=True)
            self._thread.start()
            return self._state

    def cancel(self) -> State:
        """End the training, with all its processes; the results of the last one stay.  Waits for its end."""
        with self._lock:
            if self._state.state == 'running' and self._process is not None:
                self._is_cancelled = True
                end_group(self._process)
        self.wait()
        return self.state()

    def wait(self) -> None:
        """Wait for the end of the training, if one is running."""
        if self._thread is not None:
            self._thread.join()

    def _watch(self, process: Any, receiver: Connection) -> None:
        """Follow the messages of the process until it ends."""
        start, last = time.monotonic(), dict[str, Any]()
        with receiver, suppress(EOFError, OSError):
            while True:
                last = receiver.recv()
                if 'stage' in last:
                    share = _share(last['stage'], last['done'])
                    spent = time.monotonic() - start
                    eta = round(spent / share * (1 - share), 1) if share > 0.1 else None
                    self._state = State('running', last['stage'], round(100 * share, 1), eta_sec=eta)
        process.join()
        with suppress(UserError, OSError), self._store.lock():
            folder = self._store.folder
            remove_others(self._store.root, folder.name if folder else None)
        if 'report' in last:
            self._state = State('done', done=100.0, report=last['report'])
        elif self._is_cancelled:
            self._state = State('cancelled')
        else:
            reason = f'the process ended with status {process.exitcode}; is there enough memory?'
            self._state = State('failed', error=last.get('error', reason))


def _share(stage: str, done: float) -> float:
    """Done share of the whole training."""
    names = list(_ENDS)
    begin = _ENDS[names[names.index(stage) - 1]] if stage != names[0] else 0.0
    return begin + done * (_ENDS[stage] - begin)


def prepare_process() -> None:
    """Import what a training needs, in the background, into the process that trainings are forked from."""
    if _METHOD == 'forkserver':
        from multiprocessing import forkserver

        multiprocessing.set_forkserver_preload(['vpd_mm.studio.training_worker'])
        forkserver.ensure_running()


def end_group(process: Any) -> None:
    """Kill a process that leads a group with the processes that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, ProcessLookupError, PermissionError):  # it leads no group, yet or on this system
        process.kill()
