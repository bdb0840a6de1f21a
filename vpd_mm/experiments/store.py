"""Results of finished runs: one JSON file each, and all of them as a table."""

import csv
import json
import math
import subprocess
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from ..baselines.clip_scores import ClipScores
from ..engine.paths import resource_dir
from ..errors import UserError
from ..files import atomic_write, check_no_link, check_output, is_ours, open_output, read_json, read_text
from ..version import __version__
from .plan import Run

AP_COLUMNS = tuple(f'AP@{tiou / 10:g}' for tiou in range(1, 10))
#: Precision among the k nearest actions (paper 4.2) to k.
PRECISIONS = {'P@1': 1, 'P@10': 10, 'P@50': 50}
#: Sizes of the test set, and the accuracy of a uniform guess and of the most frequent class, in percent.
COUNTS = ('clips', 'videos', 'classes', 'chance', 'majority')
#: Columns of results.csv.  Accuracies, AP and precisions are in percent; k is a number or 'all'; left_out counts the
#: actions (detection: videos) without features that --allow-missing left out.
COLUMNS = (
    *('section', 'method', 'group', 'kind', 'config', 'features', 'stream', 'corpus', 'k', 'subset', 'seed', 'split'),
    *('selected_on', 'protocol', 'settings', 'commit', 'checkpoint', 'top1', 'top5', 'mean1', *COUNTS, 'threshold'),
    *(*AP_COLUMNS, 'mAP', *PRECISIONS, 'left_out', 'seconds', 'key'),
)
#: Columns that are known before a run starts.
_IDENTITY = list(COLUMNS[:15])
#: Columns of numbers; None where a run has none.
_NUMBERS = ('top1', 'top5', 'mean1', *COUNTS, 'threshold', *AP_COLUMNS, 'mAP', *PRECISIONS, 'left_out', 'seconds')


class RunStore:
    """The folder ``root`` of finished runs.

    ``<key>.json`` = result, written last; ``<key>.npz`` = its :class:`ClipScores`; ``<key>/`` = its work dir.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of_tool(cls, work_dir: Path) -> 'RunStore':
        """The store of a work dir: ``work_dirs/runs`` of all folders in ``work_dirs``, so that no run is done twice.

        Another work dir, and one of a former version with runs, has its own.
        """
        own, shared = work_dir / 'runs', work_dir.parent / 'runs'
        root = shared if work_dir.parent.resolve() == Path('work_dirs').resolve() and not own.is_dir() else own
        check_no_link(root)
        return cls(root)

    def path(self, key: str) -> Path:
        return self.root / f'{key}.json'

    def scores_path(self, key: str) -> Path:
        return self.root / f'{key}.npz'

    def work_dir(self, key: str) -> Path:
        return self.root / key

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read the result of a run; a damaged file raises UserError."""
        path = self.path(key)
        result = read_json(path, 'move it away to run again')
        if not isinstance(result, dict) or result.get('key') != key:
            raise UserError(f'{path}: not a result of this version, or of another key; move it away to run again')
        for name in _NUMBERS:
            value = result.get(name)
            if value is not None and not (type(value) in (int, float) and math.isfinite(value)):
                raise UserError(f'{path}: {name} must be a number or null, found {value!r}; move it away to run again')
        return result

    def scores(self, key: str) -> ClipScores:
        """Read the class scores of every test clip."""
        return ClipScores.load(self.scores_path(key))

    def save(self, run: Run, result: Mapping[str, Any]) -> None:
        """Write the result of a run, which is finished from then on."""
        with atomic_write(self.path(run.key), 'w') as f:
            json.dump({**_about(run), **result}, f, indent=2)
            f.write('\n')

    def to_frame(self, runs: Iterable[Run]) -> pd.DataFrame:
        """The finished ones of ``runs``, one row a run, with the columns ``COLUMNS``."""
        rows = [{**self[run.key], **_about(run)} for run in runs if run.key in self]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def _about(run: Run) -> dict[str, Any]:
    """The columns of a run that are known before it starts."""
    about = {name: getattr(run, name) for name in (*_IDENTITY, 'key') if hasattr(run, name)}
    return about | {'method': run.method.name, 'group': run.method.group, 'kind': run.method.kind, 'k': run.k or 'all'}


#: Beginning of the header of results.csv and summary.csv, by which they are recognised.
_TABLE_MARK = 'section,method,'


def check_table(path: Path, overwrite: bool = False) -> None:
    """Check that :func:`write_table` may write a file; errors as :func:`vpd_mm.files.check_output`."""
    check_output(path, mark=_TABLE_MARK, overwrite=overwrite)


def write_table(path: Path, frame: pd.DataFrame, overwrite: bool = False) -> None:
    """Write a table as csv, without its empty columns; errors as :func:`check_table`."""
    with open_output(path, 'w', mark=_TABLE_MARK, overwrite=overwrite) as f:
        (frame.dropna(axis='columns', how='all') if len(frame) else frame).to_csv(f, index=False, lineterminator='\n')


def add_to_table(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the results.csv at ``path``, which may be missing, and those of ``frame``, which replace equal runs.

    Raises:
        UserError: the file is damaged.
    """
    if not path.is_file() or not is_ours(path, _TABLE_MARK):
        return frame
    try:
        records = list(csv.DictReader(StringIO(read_text(path)), strict=True))
        earlier = pd.DataFrame(records, columns=list(COLUMNS)).replace('', None)
        earlier = earlier.assign(**{name: pd.to_numeric(earlier[name]) for name in _NUMBERS})
    except (ValueError, csv.Error) as e:
        raise UserError(f'{path}: damaged ({e}); move it away') from e
    earlier = earlier.fillna(dict.fromkeys(_IDENTITY, ''))
    for name in ('k', 'subset', 'seed'):
        earlier[name] = [int(value) if value.isdigit() else value for value in earlier[name]]
    rows = [*earlier.to_dict('records'), *frame.to_dict('records')]
    return pd.DataFrame(rows, columns=list(COLUMNS)).drop_duplicates(_IDENTITY, keep='last', ignore_index=True)


def code_commit() -> str:
    """The commit of this checkout, with ``+`` where tracked files were changed; the version of an installed wheel."""

    def git(*words: str) -> str:
        command = ['git', '-C', str(resource_dir()), *words]  # constant words; git is looked up as a shell does
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  as above
        return done.stdout.strip()

    try:
        if Path(git('rev-parse', '--show-toplevel')).resolve() != resource_dir().resolve():
            return __version__
        return git('rev-parse', '--short=9', 'HEAD') + ('+' if git('status', '--porcelain', '-uno') else '')
    except (OSError, subprocess.CalledProcessError):
        return __version__
