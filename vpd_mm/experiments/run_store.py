"""Results of finished runs: one JSON each, written when all is done."""

import json
import subprocess
from pathlib import Path
from typing import Any

from ..baselines.clip_scores import ClipScores
from ..engine.paths import resource_dir
from ..errors import UserError
from ..structures import atomic_write
from ..version import __version__


class RunStore:
    """The folder ``runs`` of a comparison.

    ``<key>.json`` = what a finished run found, written last; ``<key>.npz`` =
    its :class:`ClipScores`; ``<key>/`` = its work dir, ``<key>.log``.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        return self.root / f'{key}.json'

    def scores_path(self, key: str) -> Path:
        return self.root / f'{key}.npz'

    def work_dir(self, key: str) -> Path:
        return self.root / key

    def log_path(self, key: str) -> Path:
        return self.root / f'{key}.log'

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def __getitem__(self, key: str) -> dict[str, Any]:
        """What the run found.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path(key)
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
            if found['key'] != key:
                raise ValueError(f'holds key {found["key"]!r}')
        except (ValueError, KeyError, TypeError) as e:
            raise UserError(f'{path}: is no result of tools/compare.py ({e}); delete it to run again') from e
        return found

    def scores(self, key: str) -> ClipScores:
        """What the run said about every clip."""
        return ClipScores.load(self.scores_path(key))

    def save(self, key: str, found: dict[str, Any]) -> None:
        """Write the result of a run; from now on it is finished."""
        with atomic_write(self.path(key), 'w') as f:
            json.dump({'key': key, **found}, f, indent=2)
            f.write('\n')


def code_commit() -> str:
    """The commit of this checkout, with ``+`` where tracked files were changed; the version of an installed wheel."""

    def git(*words: str) -> str:
        done = subprocess.run(['git', '-C', str(resource_dir()), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if Path(git('rev-parse', '--show-toplevel')).resolve() != resource_dir().resolve():
            return __version__
        return git('rev-parse', '--short=9', 'HEAD') + ('+' if git('status', '--porcelain', '-uno') else '')
    except (OSError, subprocess.CalledProcessError):
        return __version__
