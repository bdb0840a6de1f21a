"""Work side by side: a process each, one thread in it, results and progress through a pipe."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from vpd_mm.errors import UserError

#: Takes a function (done, total) to call meanwhile; both it and what it returns can be pickled.
Work = Callable[[Callable[[int, int], None]], dict]


def side_by_side(works: Mapping[str, Work], processes: int) -> Generator[tuple[str, str, tuple], None, None]:
    """Do all works, in their order, ``processes`` at a time; what is at work ends when the iterator is closed.

    Yields:
        ``(name, 'begun', ())``, ``(name, 'moved', (done, total))`` and ``(name, 'done', (result,))`` as they happen.

    Raises:
        UserError: a work raised it, or its process died.
        RuntimeError: a work raised something else; its traceback is the message.
    """
    context = multiprocessing.get_context('spawn')
    waiting, working, started = deque(works), {}, []
    try:
        for _ in range(min(processes, len(works))):
            name = waiting.popleft()
            yield name, 'begun', ()
            ours, theirs = context.Pipe()
            # no daemon: the loaders of a training are children of its process
            process = context.Process(target=_serve, args=(theirs,))
            process.start()
            theirs.close()
            started.append((ours, process))
            working[ours] = name
            ours.send(works[name])
        while working:
            for ready in wait(list(working)):
                assert isinstance(ready, Connection)
                name = working[ready]
                kind, *content = _receive(ready, name)
                yield name, kind, tuple(content)
                if kind != 'done':
                    continue
                del working[ready]
                if waiting:
                    name = working[ready] = waiting.popleft()
                    yield name, 'begun', ()
                    ready.send(works[name])
    finally:
        for connection, process in started:
            connection.close()
            if connection in working:
                process.terminate()
            process.join()


def _receive(connection: Connection, name: str) -> tuple:
    try:
        message = connection.recv()
    except (EOFError, OSError) as e:
        raise UserError(f'{name}: its process died, often for want of memory; run again with --jobs 1') from e
    if message[0] == 'refused':
        raise UserError(message[1])
    if message[0] == 'failed':
        raise RuntimeError(f'{name}: {message[1]}')
    return message


def _serve(connection: Connection) -> None:
    """Works come, results go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            work: Work = connection.recv()
            try:
                message: tuple = ('done', work(lambda done, total: connection.send(('moved', done, total))))
            except UserError as e:
                message = ('refused', str(e))
            except (BrokenPipeError, ConnectionResetError):
                return
            except Exception:
                message = ('failed', traceback.format_exc())
            connection.send(message)


def _end_with_parent() -> None:
    """However the parent ends: the next run must not find this one at work."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


__all__ = ['Work', 'side_by_side']
