"""Stages that run one after the other, show how far they are, and are not run twice."""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..errors import UserError
from ..structures import atomic_write

#: Called with (done, total) while a stage works.
Moved = Callable[[int, int], None]

_RUN_FILE = 'demo.json'
#: Without a terminal a stage says how far it is every so many seconds.
_TELL_SEC = 20.0


@dataclass(frozen=True)
class Stage:
    """One step of a chain.

    Args:
        name: Of its marker file.
        text: What a person reads.
        run: Does the work, or the rest of it; returns what JSON can hold.
        settings: What decides its outcome, besides the stages that it needs.
        needs: Names of earlier stages whose outcome it uses.
        outputs: Files and folders that are its own: removed when settings changed since they were made.
    """

    name: str
    text: str
    run: Callable[[Moved], dict]
    settings: dict = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()


class StageRunner:
    """Runs stages in a folder of its own.

    ``<root>/stages/<name>.json`` says what a stage was asked for (``key``), whether it is done, its ``result`` and its
    ``seconds``, those of interrupted runs included.  A stage that is done with the same key is not run again.

    Args:
        root: The folder; made, or one that a runner with the same ``identity`` made.
        identity: What the whole run is, for example scale and seed.
        console: Where progress goes; None = nowhere.

    Raises:
        UserError: the folder holds something else.
    """

    def __init__(self, root: str | os.PathLike, identity: dict, console: Console | None = None) -> None:
        self.root = Path(root)
        self.console = console or Console(quiet=True)
        self.results: dict[str, dict] = {}
        self.seconds: dict[str, float] = {}
        self._keys: dict[str, str] = {}
        claim_folder(self.root, identity)

    def run(self, stages: Sequence[Stage]) -> None:
        """Run what is not done; ``results`` and ``seconds`` then hold every stage's."""
        for number, stage in enumerate(stages, 1):
            key = self._key(stage)
            marker = self._read(stage.name)
            label = f'{number:2d}/{len(stages)} {stage.text}'
            if marker.get('key') == key and marker.get('done'):
                self.console.print(f'{label}: there before', highlight=False)
            else:
                marker = self._do(stage, key, marker, label)
            self.results[stage.name], self.seconds[stage.name] = marker['result'], marker['seconds']

    def _key(self, stage: Stage) -> str:
        needed = {name: self._keys[name] for name in stage.needs}
        content = json.dumps({'settings': stage.settings, 'needs': needed}, sort_keys=True)
        self._keys[stage.name] = hashlib.sha256(content.encode()).hexdigest()[:16]
        return self._keys[stage.name]

    def _path(self, name: str) -> Path:
        return self.root / 'stages' / f'{name}.json'

    def _read(self, name: str) -> dict:
        path = self._path(name)
        if not path.is_file():
            return {}
        try:
            marker = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as e:
            raise UserError(f'{path}: no valid JSON ({e}); delete it, and the stage runs again') from e
        return marker if isinstance(marker, dict) else {}

    def _do(self, stage: Stage, key: str, marker: dict, label: str) -> dict:
        if marker.get('key') != key:
            for path in stage.outputs:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            marker = {'key': key, 'done': False, 'seconds': 0.0}
            write_json(self._path(stage.name), marker)
        start, before = time.monotonic(), float(marker['seconds'])

        def spent() -> float:
            return round(before + time.monotonic() - start, 1)

        try:
            with shown(self.console, label) as moved:
                result = stage.run(moved)
        except BaseException:
            write_json(self._path(stage.name), {**marker, 'seconds': spent()})
            raise
        marker = {'key': key, 'done': True, 'settings': stage.settings, 'seconds': spent(), 'result': result}
        write_json(self._path(stage.name), marker)
        # read back, so that a first and a second run see the same types
        return self._read(stage.name)


def claim_folder(root: Path, identity: dict) -> None:
    """Make ``root`` this run's folder, or check that it is.

    Raises:
        UserError: it is a file, holds something else, or was made by a run of another identity.
    """
    path = root / _RUN_FILE
    if root.exists() and not root.is_dir():
        raise UserError(f'{root}: is a file; pass another --out')
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as e:
            raise UserError(f'{path}: no valid JSON ({e}); delete the folder or pass another --out') from e
        if found != identity:
            raise UserError(f'{root}: was made by {found}, asked for {identity}; delete it or pass another --out')
        return
    if root.is_dir() and any(not p.name.startswith('.') for p in root.iterdir()):
        raise UserError(f'{root}: not empty and not of a demonstration (no {_RUN_FILE}); pass another --out')
    write_json(path, identity)


def write_json(path: Path, content: dict) -> None:
    with atomic_write(path, 'w') as f:
        json.dump(content, f, indent=1)
        f.write('\n')


@contextmanager
def shown(console: Console, label: str) -> Iterator[Moved]:
    """A bar with the time that is left; without a terminal, lines."""
    start = told = time.monotonic()
    if not console.is_terminal:

        def tell(done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if done and now - told >= _TELL_SEC:
                told = now
                left = (now - start) * (total - done) / done
                console.print(f'{label}: {done}/{total}, about {left:.0f} s left', highlight=False, soft_wrap=True)

        console.print(f'{label} ...', highlight=False, soft_wrap=True)
        sys.stdout.flush()
        yield tell
    else:
        columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        bar = Progress(*columns, TextColumn('left'), TimeRemainingColumn(), console=console, transient=True)
        with bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    console.print(f'{label}: {time.monotonic() - start:.0f} s', highlight=False, soft_wrap=True)


__all__ = ['Moved', 'Stage', 'StageRunner', 'claim_folder', 'shown', 'write_json']
