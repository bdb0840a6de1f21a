"""Kill tools at seeded moments, resume them, and compare the result with that of an uninterrupted run."""

import csv
import errno
import json
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from forked import finish_tool, start_tool
from media import corpus_content

from vpd_mm.compat import load_checkpoint_safely
from vpd_mm.engine.locks import file_lock

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
#: Values that differ between two runs: times, and the commit of the code.
OF_A_RUN = {'seconds', 'commit', 'time'}
#: Files of a training that say how it went, not what came out: logs, and the console of a resumed training.
LOGS = ('.log', '.lock', '.png', '.py', 'last_checkpoint', 'training.json')
#: Folders of logs: of a training by its time, of jobs.
NOT_RESULTS = re.compile(r'/vis_data/|/\d{8}_\d{6}/|^w/jobs/')
CHANGES = {'os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.truncate'}
LONGEST_DELAY_SEC = 0.05


@dataclass(frozen=True)
class Step:
    """A command whose inputs ``make`` puts into the folder that it runs in."""

    name: str
    make: Callable[[Path], None]
    tool: str
    arguments: tuple[object, ...]


@dataclass
class Row:
    """A row of the table: kills, runs that resumed after one, seconds, failures."""

    step: str
    kills: int = 0
    resumed: int = 0
    seconds: float = 0.0
    failures: int = 0

    def __str__(self) -> str:
        return f'{self.step:>10} {self.kills:>6} {self.resumed:>8} {self.seconds:>8.1f} {self.failures:>9}'


HEADER = f'{"step":>10} {"kills":>6} {"resumed":>8} {"seconds":>8} {"failures":>9}'


class Operations:
    """Count the file operations below a folder in this process; from number ``at`` on, end it or refuse them.

    Args:
        at: 0: only count.
        delay: Seconds from that operation to the kill; 0: before it.
        full: The disk is full from then on, in place of a kill.
    """

    def __init__(self, folder: Path, count_path: Path, at: int = 0, delay: float = 0, full: bool = False) -> None:
        self.folder, self.count_path = os.path.realpath(folder), count_path
        self.at, self.delay, self.full, self.count = at, delay, full, 0

    def start(self) -> None:
        sys.addaudithook(self._hook)

    def save(self) -> None:
        self.folder = '/nowhere'
        self.count_path.write_text(str(self.count))

    def _hook(self, event: str, args: tuple) -> None:
        if event == 'open':
            path, _, flags = args
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        elif event in CHANGES:
            path, writes = args[0], True
        else:
            return
        if not writes or not isinstance(path, str | bytes | os.PathLike):
            return
        if not os.path.abspath(os.fsdecode(path)).startswith(self.folder + os.sep):
            return
        self.count += 1
        if self.full and 0 < self.at <= self.count and event in ('open', 'os.mkdir'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(path))
        if not self.full and self.count == self.at:
            if self.delay:
                timer = threading.Timer(self.delay, os.kill, (os.getpid(), signal.SIGKILL))
                timer.daemon = True
                timer.start()
            else:
                os.kill(os.getpid(), signal.SIGKILL)


def content(folder: Path) -> dict[str, Any]:
    """Everything that a folder of results says, each file read whole: a half file is an error."""
    files = {}
    for path in sorted(folder.rglob('*')):
        name, is_hidden = str(path.relative_to(folder)), any(part[0] == '.' for part in path.relative_to(folder).parts)
        if not path.is_file() or name.endswith(LOGS) or is_hidden or NOT_RESULTS.search(name):
            continue
        if path.name == 'corpus.json':
            files[name] = corpus_content(path.parent)
        elif path.suffix == '.pth':
            state = load_checkpoint_safely(str(path))['state_dict']
            files[name] = {key: value.tolist() for key, value in state.items() if isinstance(value, torch.Tensor)}
        elif path.suffix == '.json':
            files[name] = _without(json.loads(path.read_text()))
        elif path.suffix == '.jsonl':
            files[name] = [_without(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.suffix == '.csv' and path.name != 'videos.csv':  # which names the folder; corpus_content has it
            files[name] = [_without(row) for row in csv.DictReader(path.open())]
        elif path.suffix not in ('.lmdb', '.csv'):
            files[name] = path.read_bytes()
    return files


def _without(value: Any) -> Any:
    """JSON without what differs between two runs, the folder included."""
    if isinstance(value, dict):
        return {k: _without(v) for k, v in value.items() if k not in OF_A_RUN | {'folder'}}
    return value


def run(step: Step, folder: Path, **moment: Any) -> tuple[int, str, int]:
    """Run a step in a folder, where its inputs are made first; returns exit code, stderr and file operations."""
    if not folder.exists():
        folder.mkdir(parents=True)
        step.make(folder)
    out, err, count = (folder.parent / f'{folder.name}.{name}' for name in ('out', 'err', 'count'))
    for path in (out, err, count):
        path.unlink(missing_ok=True)
    operations = Operations(folder, count, **moment)
    process = start_tool(TOOLS / step.tool, *step.arguments, cwd=folder, out=out, err=err, operations=operations)
    done = finish_tool(process, out, err, timeout=180)
    # a killed process may have written nothing into it
    return done.returncode, done.stderr[-2000:], int((count.exists() and count.read_text()) or 0)


def is_zip(data: bytes) -> bool:
    """All entries are there with the right check sums."""
    with suppress(BadZipFile):
        return ZipFile(BytesIO(data)).testzip() is None
    return False


def unfinished(folder: Path, whole: dict[str, Any]) -> list[str]:
    """The npz that are neither as at the end nor, where the end removes them, complete."""
    arrays = {name: value for name, value in content(folder).items() if name.endswith('.npz')}
    parts = {name for name in arrays if name not in whole}
    assert all('.parts/' in name for name in parts), parts
    return [n for n, value in arrays.items() if (not is_zip(value) if n in parts else value != whole[n])]


def check_end(step: Step, folder: Path, whole: dict[str, Any]) -> None:
    """The results are those of an uninterrupted run; no temporary file and no held lock is left."""
    found = content(folder)
    assert found.keys() == whole.keys(), (step.name, found.keys() ^ whole.keys())
    different = [(name, found[name], whole[name]) for name in whole if found[name] != whole[name]]
    assert not different, str(different)[:2000]
    assert not list(folder.rglob('.*.tmp'))
    assert not list(folder.rglob('poses/.*/'))
    for path in folder.rglob('*.lock'):
        with file_lock(path):
            pass


def finished(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files that are written once, when their part of the work is done."""
    paths = [*folder.rglob('*.npz'), *folder.glob('*/runs/*.json')]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths if path.name[0] != '.'}


def kill_and_resume(step: Step, folder: Path, kills: int, seed: int = 0) -> Row:
    """Kill a step ``kills`` times, resume it to its end each time or until the next kill; returns its row."""
    rng, row, start = random.Random(f'{seed} {step.name}'), Row(step.name), time.monotonic()  # noqa: S311
    code, errors, num_operations = run(step, folder / 'whole')
    assert code == 0, errors
    whole, rounds, limit, after_kill = content(folder / 'whole'), 0, num_operations, False
    while True:
        killed = folder / f'killed{rounds}'
        delay = rng.choice((0, 0, rng.uniform(0, LONGEST_DELAY_SEC)))
        moment = dict(at=rng.randrange(1, limit + 1), delay=delay) if row.kills < kills else {}
        before = finished(killed)
        row.resumed += after_kill
        code, errors, _ = run(step, killed, **moment)
        again = [path for path, state in before.items() if path.exists() and finished(killed).get(path) != state]
        row.failures += code not in (0, -signal.SIGKILL)
        assert code in (0, -signal.SIGKILL), (moment, errors)
        assert len({path.stem for path in again}) <= 1, f'{moment}: more than the interrupted part done twice: {again}'
        after_kill = code != 0
        if after_kill:
            row.kills += 1
            limit = max(1, num_operations // 2)  # a part is done
            assert not unfinished(killed, whole)
            continue
        check_end(step, killed, whole)
        if row.kills >= kills:
            break
        shutil.rmtree(killed)
        rounds, limit = rounds + 1, num_operations
    row.seconds = time.monotonic() - start
    return row
