"""What is installed, which bridges act and why, what is optional: the tables of ``tools/check_env.py``."""

import importlib
import importlib.metadata
import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import BRIDGES
from .bridge import find_elsewhere, package_dir, provider

PYTHONS = ((3, 10), (3, 12))
# Import name -> what pip installs; the main path (video, teacher, distill, features, recognize) needs them all.
REQUIRED = {
    'torch': 'torch',
    'torchvision': 'torchvision',
    'numpy': 'numpy',
    'scipy': 'scipy',
    'cv2': 'opencv-python-headless',
    'av': 'av',
    'lmdb': 'lmdb',
    'numba': 'numba',
    'supervision': 'supervision',
    'pycocotools': 'pycocotools',
    'xthotcoco': 'xthotcoco',
    'six': 'six',
    'matplotlib': 'matplotlib',
    'rich': 'rich',
    'mmengine': 'mmengine',
    'mmcv': 'mmcv-lite',
    'mmdet': 'mmdet',
    'mmpose': 'mmpose',
    'mmaction': 'mmaction2',
}
NO_DEPS = ('mmengine', 'mmcv-lite', 'mmdet', 'mmpose', 'mmaction2')
OPENCV = ('opencv-python-headless', 'opencv-python', 'opencv-contrib-python', 'opencv-contrib-python-headless')
MAIN_PATH = ('mmengine.runner', 'mmaction.models', 'mmaction.apis', 'mmpose.apis', 'mmdet.apis')
# What a broken installation raises when it is imported; anything else is a fault worth its traceback.
IMPORT_FAILURES = (ImportError, RuntimeError, OSError, AttributeError, AssertionError, ValueError, TypeError)


@dataclass(frozen=True)
class Row:
    """A line of a table: ``good`` False is a fault in a required part, and merely absence in an optional one."""

    name: str
    good: bool
    found: str
    cure: str = ''


def required_parts() -> list[Row]:
    """Python, the distributions of the main path, and the one OpenCV that there may be."""
    version = platform.python_version()
    fits = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    rows = [Row('Python', fits, version, '' if fits else 'use Python 3.10, 3.11 or 3.12')]
    for name, distribution in REQUIRED.items():
        if name == 'cv2':
            rows.append(opencv_row())
            continue
        found = provider(name if name in ('mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmaction') else distribution)
        if found is not None:
            rows.append(Row(distribution, True, ' '.join(found[found[0] == distribution :])))
        elif find_elsewhere(name) is not None:
            rows.append(Row(distribution, True, 'found, not installed by pip'))
        else:
            no_deps = '--no-deps ' if distribution in NO_DEPS else ''
            rows.append(Row(distribution, False, 'missing', f'pip install {no_deps}{distribution}'))
    return rows


def opencv_row(installed: Sequence[str] | None = None) -> Row:
    """Exactly one distribution may provide ``cv2``: several overwrite each other's files.

    Args:
        installed: Names of the OpenCV distributions; looked up if None.
    """
    if installed is None:
        installed = [name for name in OPENCV if provider(name)]
    if len(installed) > 1:
        return Row(
            'OpenCV',
            False,
            ' + '.join(installed),
            f'they overwrite each other: pip uninstall -y {" ".join(installed)}, then pip install {OPENCV[0]}',
        )
    if not installed:
        found = find_elsewhere('cv2') is not None
        return Row('OpenCV', found, 'cv2, not installed by pip' if found else 'missing', f'pip install {OPENCV[0]}')
    failure = _import_failure('cv2')
    cure = f'pip uninstall -y {installed[0]}, then pip install {OPENCV[0]} (the others need libGL)'
    version = (provider(installed[0]) or ('', ''))[1]
    return Row('OpenCV', not failure, failure or f'{installed[0]} {version}'.strip(), cure if failure else '')


def main_path() -> list[Row]:
    """Imports what training, the teacher and the detector are made of: the proof that the bridges carry."""
    rows = []
    for name in MAIN_PATH:
        failure = _import_failure(name)
        cure = f'{name} does not import; reinstall its package as the README shows' if failure else ''
        rows.append(Row(name, not failure, failure or 'imports', cure))
    return rows


def bridge_rows() -> list[Row]:
    """One row a bridge: good = the stack is healthy there; found = why it acts; cure = what it does, and upstream."""
    rows = []
    for bridge in BRIDGES:
        why = bridge.applies()
        upstream = bridge.upstream.removeprefix('https://github.com/').replace('/issues/', '#')
        rows.append(Row(bridge.name, not why, why or 'not needed', f'{bridge.cure} [{upstream}]' if why else ''))
    return rows


def optional_parts() -> list[Row]:
    """CUDA, RAFT and the like: whether they are there, and how to get them."""
    return [
        _optional('CUDA', _cuda, 'a CUDA build of torch and torchvision: https://pytorch.org/get-started'),
        _optional('torchvision RAFT', _raft, 'the torchvision that fits this torch; DIS flow of OpenCV needs nothing'),
        _optional('compiled mmcv', _compiled_mmcv, 'pip uninstall mmcv-lite; pip install onedl-mmcv (compiles)'),
        _optional('mediapipe', _installed('mediapipe'), 'pip install --no-deps mediapipe'),
        _optional('decord', _installed('decord'), 'pip install decord; PyAV reads in its place meanwhile'),
        _optional('onnxruntime', _installed('onnxruntime'), 'pip install onnx onnxruntime (tools/export.py)'),
        _optional('tensorboard', _installed('tensorboard'), 'pip install tensorboard'),
        _optional('wandb', _installed('wandb'), 'pip install wandb'),
    ]


def problems() -> list[str]:
    """What keeps the main path from running, each with its cure; empty where it can run."""
    rows = [row for row in required_parts() if not row.good] or [row for row in main_path() if not row.good]
    return [f'{row.name}: {row.found}; {row.cure}' for row in rows]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables. Returns 0 where the main path can run, else 1 with what to do."""
    if find_elsewhere('rich') is None:
        print('error: rich is missing: pip install rich', file=sys.stderr)
        return 1
    from rich.console import Console
    from rich.table import Table

    console = Console()
    bridges = bridge_rows()  # before the main path is imported: what it imports changes what can be found
    faults = problems()
    sections = (
        ('Required', required_parts(), 'ok', 'FAULT'),
        ('Bridges over upstream breaks', bridges, '-', 'active'),
        ('Optional', optional_parts(), 'yes', 'no'),
    )
    for title, rows, good, bad in sections:
        table = Table(title=title, title_justify='left', title_style='bold', expand=True)
        for header, ratio in (('part', 3), ('', 1), ('found', 5), ('what to do' if good != '-' else 'what it does', 7)):
            table.add_column(header, ratio=ratio, overflow='fold')
        for row in rows:
            table.add_row(
                row.name, good if row.good else bad, row.found.replace('[', r'\['), row.cure.replace('[', r'\[')
            )
        console.print(table)
    for fault in faults:
        print(f'error: {fault}', file=sys.stderr)
    if not faults:
        console.print('The main path can run here.')
    return 1 if faults else 0


def _optional(name: str, probe: Callable[[], tuple[bool, str]], cure: str) -> Row:
    good, found = probe()
    return Row(name, good, found, '' if good else cure)


def _installed(distribution: str) -> Callable[[], tuple[bool, str]]:
    def probe() -> tuple[bool, str]:
        found = provider(distribution)
        return found is not None, found[1] if found else 'not installed'

    return probe


def _cuda() -> tuple[bool, str]:
    if failure := _import_failure('torch'):
        return False, failure
    torch = importlib.import_module('torch')
    if not torch.cuda.is_available():
        return False, f'torch {torch.__version__} sees no GPU'
    return True, ', '.join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))


def _raft() -> tuple[bool, str]:
    failure = _import_failure('torchvision.models.optical_flow')
    return not failure, failure or 'imports (its weights are downloaded on first use)'


def _compiled_mmcv() -> tuple[bool, str]:
    if package_dir('mmcv') is None:
        return False, 'mmcv is missing'
    lite = next(bridge for bridge in BRIDGES if 'mmcv._ext' in bridge.stand_ins).applies()
    return not lite, lite or ' '.join(provider('mmcv') or ('mmcv',))


def _import_failure(name: str) -> str:
    """Why a module does not import, '' if it does; its warnings are upstream's own and stay unseen."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            importlib.import_module(name)
        except IMPORT_FAILURES as e:
            return f'{type(e).__name__}: {" ".join(str(e).split())[:200]}'
    return ''
