"""Check of the environment: required parts, active bridges, optional parts (``tools/check_env.py``)."""

import importlib
import platform
import sys
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from . import BRIDGES
from .bridge import DISTRIBUTIONS, find_elsewhere, package_dir, provider

#: First and last minor version of Python 3; as declared in pyproject.toml.
PYTHONS = (10, 13)
#: Import name -> what pip installs; the main path (video, teacher, distill, features, recognize) needs them all.
REQUIRED = {name: name for name in ('torch', 'torchvision', 'numpy', 'scipy', 'av', 'lmdb', 'numba', 'supervision')}
REQUIRED |= {name: name for name in ('pycocotools', 'xthotcoco', 'six', 'matplotlib', 'rich', 'mmengine')}
REQUIRED |= {'mmcv': 'mmcv-lite', 'mmdet': 'mmdet', 'mmpose': 'mmpose', 'mmaction': 'mmaction2'}
OPENCV = ('opencv-python-headless', 'opencv-python', 'opencv-contrib-python', 'opencv-contrib-python-headless')
MAIN_PATH = ('mmengine.runner', 'mmaction.models', 'mmaction.apis', 'mmpose.apis', 'mmdet.apis')
#: Optional part, or distribution -> how to get it.
OPTIONAL = {
    'CUDA': 'a CUDA build of torch and torchvision: https://pytorch.org/get-started',
    'torchvision RAFT': 'the torchvision that fits this torch; DIS flow of OpenCV needs nothing',
    'compiled mmcv': 'pip uninstall mmcv-lite; pip install onedl-mmcv (compiles)',
    'mediapipe': 'pip install --no-deps mediapipe==0.10.21 attrs flatbuffers absl-py (Python 3.10 to 3.12)',
    'decord': 'pip install decord; until then PyAV reads in its place',
    'onnxruntime': 'pip install onnx onnxruntime (tools/export.py)',
    'tensorboard': 'pip install tensorboard',
    'wandb': 'pip install wandb',
}
#: Errors that a broken installation raises on import; any other error is shown with its traceback.
IMPORT_FAILURES = (ImportError, RuntimeError, OSError, AttributeError, AssertionError, ValueError, TypeError)


class Row(NamedTuple):
    """One line of a table: a part, whether it works, its version or problem, and what to do if it does not."""

    name: str
    good: bool
    status: str
    hint: str = ''


def required_parts() -> list[Row]:
    """Return the rows of Python, OpenCV and the distributions of the main path."""
    rows = [python_row(), opencv_row()]
    for name, distribution in REQUIRED.items():
        status, present = 'missing', find_elsewhere(name) is not None
        if installed := provider(name if name in DISTRIBUTIONS else distribution):
            status = ' '.join(installed[installed[0] == distribution :])
        elif present:
            status = 'found, not installed by pip'
        no_deps = '--no-deps ' if name in DISTRIBUTIONS else ''
        rows.append(Row(distribution, bool(installed) or present, status, f'pip install {no_deps}{distribution}'))
    return rows


def python_row() -> Row:
    """Check the version of Python."""
    fits = (3, PYTHONS[0]) <= sys.version_info[:2] <= (3, PYTHONS[1])
    return Row('Python', fits, platform.python_version(), f'use Python 3.{PYTHONS[0]} to 3.{PYTHONS[1]}')


def opencv_row(installed: Sequence[str] | None = None) -> Row:
    """Check that exactly one distribution provides ``cv2`` (``installed``, looked up if None)."""
    if installed is None:
        installed = [name for name in OPENCV if provider(name)]
    if len(installed) > 1:
        hint = f'they overwrite each other: pip uninstall -y {" ".join(installed)}, then pip install {OPENCV[0]}'
        return Row('OpenCV', False, ' + '.join(installed), hint)
    if not installed:
        present = find_elsewhere('cv2') is not None
        return Row('OpenCV', present, 'cv2, not installed by pip' if present else 'missing', f'pip install {OPENCV[0]}')
    failure = _import_failure('cv2')
    hint = f'pip uninstall -y {installed[0]}, then pip install {OPENCV[0]} (the others need libGL)'
    return Row('OpenCV', not failure, failure or ' '.join(provider(installed[0]) or installed), hint)


def main_path() -> list[Row]:
    """Import the packages behind training, teacher and detector, which shows that the bridges work."""
    failures = {name: _import_failure(name) for name in MAIN_PATH}
    hint = 'does not import; reinstall its package as the README shows'
    return [Row(name, not why, why or 'imports', f'{name} {hint}') for name, why in failures.items()]


def bridge_rows() -> list[Row]:
    """Return one row per bridge: good = not needed; status = why it acts; hint = what it does, and the issue."""
    rows = []
    for bridge in BRIDGES:
        why = bridge.applies()
        upstream = bridge.upstream.removeprefix('https://github.com/').replace('/issues/', '#')
        rows.append(Row(bridge.name, not why, why or 'not needed', f'{bridge.fix} [{upstream}]'))
    return rows


def optional_parts() -> list[Row]:
    """Return the rows of CUDA, RAFT and other optional parts, with how to get them."""
    raft = _import_failure('torchvision.models.optical_flow')
    lite = next(bridge for bridge in BRIDGES if 'mmcv._ext' in bridge.stand_ins).applies()
    mmcv_status = lite or ' '.join(provider('mmcv') or ('mmcv',)) if package_dir('mmcv') else 'mmcv is missing'
    has_ops = package_dir('mmcv') is not None and not lite
    status = {
        'CUDA': _cuda(),
        'torchvision RAFT': (not raft, raft or 'imports (its weights are downloaded on first use)'),
        'compiled mmcv': (has_ops, mmcv_status),
    }
    for name in OPTIONAL.keys() - status.keys():
        installed = provider(name)
        status[name] = installed is not None, installed[1] if installed else 'not installed'
    return [Row(name, *status[name], hint) for name, hint in OPTIONAL.items()]


def problems() -> list[str]:
    """Return what keeps the main path from running, each with a hint; empty where it can run."""
    rows = [row for row in required_parts() if not row.good] or [row for row in main_path() if not row.good]
    return [f'{row.name}: {row.status}; {row.hint}' for row in rows]


def main() -> int:
    """Print the tables; return 0 where the main path can run, else 1."""
    if find_elsewhere('rich') is None:
        print('error: rich is missing; check_env --fix prints what to install', file=sys.stderr)
        return 1
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False)
    bridges = bridge_rows()  # before the main path is imported, which changes what can be found
    errors = problems()
    sections = (
        ('Required', required_parts(), 'ok', 'PROBLEM', 'what to do'),
        ('Bridges over upstream breaks', bridges, '-', 'active', 'what it does'),
        ('Optional', optional_parts(), 'yes', 'no', 'what to do'),
    )
    for title, rows, good, bad, last in sections:
        table = Table(title=title, title_justify='left', title_style='bold', expand=True)
        for header, ratio in (('part', 3), ('', 1), ('found', 5), (last, 7)):
            table.add_column(header, ratio=ratio, overflow='fold')
        for row in rows:
            mark, hint = (good, '') if row.good else (bad, row.hint)
            table.add_row(row.name, mark, row.status, hint)
        console.print(table)
    for error in errors:
        print(f'error: {error}', file=sys.stderr)
    hint = 'vpd-mm check_env --fix prints the commands that install what is missing.'
    console.print(hint if errors else 'The main path can run here.')
    return 1 if errors else 0


def _cuda() -> tuple[bool, str]:
    if failure := _import_failure('torch'):
        return False, failure
    import torch

    if not torch.cuda.is_available():
        return False, f'torch {torch.__version__} sees no GPU'
    return True, ', '.join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))


def _import_failure(name: str) -> str:
    """Return why a module does not import, '' if it does; warnings of upstream are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            importlib.import_module(name)
        except IMPORT_FAILURES as e:
            return f'{type(e).__name__}: {" ".join(str(e).split())[:200]}'
    return ''
