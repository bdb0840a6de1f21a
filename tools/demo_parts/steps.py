"""Helpers of both demonstrations: timed steps, and results that are computed once."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.progress import OnProgress, progress_bar
from vpd_mm.errors import UserError
from vpd_mm.files import atomic_write, list_folder, read_json


class Steps:
    """Show the steps of a run and add up their seconds, over all calls of the command, in ``seconds.json``.

    Raises UserError if ``root/demo.json`` records another identity, or if ``root`` is no folder of a demonstration.
    """

    def __init__(self, root: Path, identity: dict, console: PlainConsole) -> None:
        path = root / 'demo.json'
        if root.is_file() or (root.is_dir() and list_folder(root) and not path.is_file()):
            raise UserError(f'{root}: is not empty and holds no demonstration (no demo.json); pass another --out')
        if (recorded := once(path, lambda: identity)) != identity:
            raise UserError(f'{root}: was made with {recorded}, not with {identity}; delete it or pass another --out')
        self.path, self.console = root / 'seconds.json', console
        self.seconds: dict[str, float] = once(self.path, dict)

    @contextmanager
    def __call__(self, name: str, text: str, purpose: str) -> Iterator[OnProgress]:
        """Run a step; ``purpose``: one sentence that says what it is for."""
        start = time.monotonic()
        self.console.print(f'{text} ...')
        self.console.print(f'    {purpose}')
        try:
            with progress_bar(text, console=self.console) as on_progress:
                yield on_progress
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 1)
            write_json(self.path, self.seconds)
        self.console.print(f'{text}: {time.monotonic() - start:.0f} s')


def once(path: Path, compute: Callable[[], dict]) -> dict:
    """Read the JSON of ``path``; if there is none, compute and write it first."""
    if not path.is_file():
        write_json(path, compute())
    return read_json(path, 'delete it to compute it again')


def write_json(path: Path, content: dict) -> None:
    with atomic_write(path, 'w') as f:
        json.dump(content, f, indent=1)
        f.write('\n')
