"""Stages that run one after the other, show how far they are, and are not run twice."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.console import Console

from demo_old.stage_display import StageDisplay
from demo_old.stage_pool import side_by_side
from vpd_mm.errors import UserError
from vpd_mm.structures import atomic_write

#: Called with (done, total) while a stage works.
Moved = Callable[[int, int], None]

_RUN_FILE = 'demo.json'


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
        single: Computes on one thread: such stages in a row are done side by side, a process each; ``run`` can be
            pickled, and none of them needs another.
    """

    name: str
    text: str
    run: Callable[[Moved], dict]
    settings: dict = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    single: bool = False


class StageRunner:
    """Runs stages in a folder of its own.

    ``<root>/stages/<name>.json`` says what a stage was asked for (``key``), whether it is done, its ``result`` and its
    ``seconds``, those of interrupted runs included.  A stage that is done with the same key is not run again.

    Args:
        root: The folder; made, or one that a runner with the same ``identity`` made.
        identity: What the whole run is, for example scale and seed.
        console: Where progress goes; None = nowhere.
        jobs: Stages of one thread that are done side by side.

    Raises:
        UserError: the folder holds something else.
    """

    def __init__(self, root: str | os.PathLike, identity: dict, console: Console | None = None, jobs: int = 1) -> None:
        self.root = Path(root)
        self.jobs = jobs
        self.console = console or Console(quiet=True)
        self.results: dict[str, dict] = {}
        self.seconds: dict[str, float] = {}
        self._keys: dict[str, str] = {}
        claim_folder(self.root, identity)

    def run(self, stages: Sequence[Stage]) -> None:
        """Run what is not done; ``results`` and ``seconds`` then hold every stage's."""
        labels = {stage.name: f'{number:2d}/{len(stages)} {stage.text}' for number, stage in enumerate(stages, 1)}
        for stage in stages:
            self._keys[stage.name] = self._key(stage)
        for alone, group in groupby(stages, lambda stage: stage.single):
            todo = []
            for stage in group:
                marker = self._read(stage.name)
                if marker.get('key') == self._keys[stage.name] and marker.get('done'):
                    self.console.print(f'{labels[stage.name]}: there before', highlight=False)
                    self._keep(stage, marker)
                else:
                    todo.append(stage)
            if alone and self.jobs > 1 and len(todo) > 1:
                self._do_side_by_side(todo, labels)
            else:
                for stage in todo:
                    self._do(stage, labels[stage.name])
        self.results = {stage.name: self.results[stage.name] for stage in stages}
        self.seconds = {stage.name: self.seconds[stage.name] for stage in stages}

    def _key(self, stage: Stage) -> str:
        needed = {name: self._keys[name] for name in stage.needs}
        content = json.dumps({'settings': stage.settings, 'needs': needed}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

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

    def _do(self, stage: Stage, label: str) -> None:
        marker = self._begin(stage)
        start = time.monotonic()
        try:
            with StageDisplay(self.console) as display:
                display.begin(label)
                result = stage.run(partial(display.moved, label))
                display.end(label)
        except BaseException:
            self._stop(stage, marker, time.monotonic() - start)
            raise
        self._end(stage, marker, time.monotonic() - start, result)

    def _do_side_by_side(self, stages: Sequence[Stage], labels: Mapping[str, str]) -> None:
        """Stages of one thread each; those at work share the time that goes by, so that the seconds of all add up."""
        by_name = {stage.name: stage for stage in stages}
        markers: dict[str, dict] = {}
        seconds, last = dict.fromkeys(by_name, 0.0), time.monotonic()
        events = side_by_side({stage.name: stage.run for stage in stages}, self.jobs)
        try:
            with StageDisplay(self.console) as display:
                for name, kind, content in events:
                    now = time.monotonic()
                    for other in markers:
                        seconds[other] += (now - last) / len(markers)
                    last = now
                    if kind == 'begun':
                        markers[name] = self._begin(by_name[name])
                        display.begin(labels[name])
                    elif kind == 'moved':
                        display.moved(labels[name], *content)
                    else:
                        display.end(labels[name])
                        self._end(by_name[name], markers.pop(name), seconds[name], *content)
        except BaseException:
            events.close()
            for name, marker in markers.items():
                self._stop(by_name[name], marker, seconds[name])
            raise

    def _begin(self, stage: Stage) -> dict:
        """The marker of a stage that is not done; what it made for other settings is removed."""
        marker, key = self._read(stage.name), self._keys[stage.name]
        if marker.get('key') != key:
            for path in stage.outputs:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            marker = {'key': key, 'done': False, 'seconds': 0.0}
            write_json(self._path(stage.name), marker)
        return marker

    def _stop(self, stage: Stage, marker: dict, seconds: float) -> None:
        write_json(self._path(stage.name), {**marker, 'seconds': round(float(marker['seconds']) + seconds, 1)})

    def _end(self, stage: Stage, marker: dict, seconds: float, result: dict) -> None:
        spent = round(float(marker['seconds']) + seconds, 1)
        done = {'key': marker['key'], 'done': True, 'settings': stage.settings, 'seconds': spent, 'result': result}
        write_json(self._path(stage.name), done)
        # read back, so that a first and a second run see the same types
        self._keep(stage, self._read(stage.name))

    def _keep(self, stage: Stage, marker: dict) -> None:
        self.results[stage.name], self.seconds[stage.name] = marker['result'], marker['seconds']


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


__all__ = ['Moved', 'Stage', 'StageRunner', 'claim_folder', 'write_json']
