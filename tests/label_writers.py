"""Processes that change the labels of a corpus, to be killed or to run side by side."""

import multiprocessing
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

from vpd_mm.corpus import Corpus
from vpd_mm.studio.history import Label
from vpd_mm.studio.labels import LabelStore

_CONTEXT = multiprocessing.get_context('forkserver')


def start(function: Callable, *args: object):
    """Start a function of this module in a process; returns the process and the end of a pipe that reads from it."""
    _CONTEXT.set_forkserver_preload(['vpd_mm', 'vpd_mm.studio.labels', 'uvicorn'])
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=function, args=(*args, sender), daemon=True)
    process.start()
    sender.close()
    return process, receiver


def pair(video: str, step: int) -> list[Label]:
    """The two labels of a video after a step: both or, every fourth time, none; each value names the step."""
    if step % 4 == 3:
        return []
    names, text = ('left', 'right'), f'step {step}, "{video}"\n' + 'ü' * (step % 5)
    return [Label(f'{video}:{name}', video, step % 7, 8 + step % 20, 'class0', 'train', text) for name in names]


def changes(video: str, step: int) -> list[dict]:
    """Changes in JSON that lead from the step before to this one."""
    old, new = pair(video, step - 1), pair(video, step)
    return [
        {'before': asdict(before) if before else None, 'after': asdict(after) if after else None}
        for before, after in zip(old or [None, None], new or [None, None])
    ]


def write_steps(root: Path, video: str, first: int, sender: Connection) -> None:
    """Make step after step; sends each number before and, negative, after it."""
    store = LabelStore(Corpus.open(root))
    for step in range(first, first + 100_000):
        sender.send(step)
        store.change(changes(video, step))
        sender.send(-step)


def add_labels(root: Path, video: str, num: int, sender: Connection) -> None:
    """Add labels without ids; sends each as stored."""
    store = LabelStore(Corpus.open(root))
    for i in range(num):
        after = {'video': video, 'start_frame': i, 'end_frame': i + 1, 'label': 'class0', 'note': f'{i}'}
        _, (label,) = store.change([{'before': None, 'after': after}])
        sender.send(label)
    sender.send(None)


def serve(root: Path, sender: Connection) -> None:
    """Serve the studio; sends the port."""
    import socket

    import uvicorn

    from vpd_mm.studio import Workspace, create_app

    with socket.create_server(('127.0.0.1', 0)) as listener:
        sender.send(listener.getsockname()[1])
        uvicorn.Server(uvicorn.Config(create_app(Workspace(Corpus.open(root))), log_level='warning')).run([listener])
