"""The package as a whole: import cost, import order, content of the wheel."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from vpd_mm import __version__
from vpd_mm.compat.environment import PYTHONS

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / 'vpd_mm').rglob('*.py'))
#: Rooms from the ground up (the design page, "Layout"): each imports only those before it.
ORDER = [
    *('errors', 'version', 'registry', 'files', 'structures', 'compat', 'engine', 'corpus', 'visualize'),
    *('athlete', 'teacher', 'distill', 'features', 'repair', 'recognize', 'retrieve', 'detect'),
    *(
        'baselines',
        'importers',
        'exporters',
        'interchange',
        'prepare',
        'infer',
        'export',
        'experiments',
        'quickstart',
        'studio',
        'synthetic',
    ),
]


def module_name(path: Path) -> str:
    return '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')


@cache
def import_nodes(path: Path) -> list[ast.Import | ast.ImportFrom]:
    nodes = ast.walk(ast.parse(path.read_text(encoding='utf-8')))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def import_graph() -> dict[str, set[str]]:
    """Every module of vpd_mm to those that it imports anywhere in its file: inside functions, for type checkers."""
    modules = {module_name(path): path for path in SOURCES}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        package = name if path.name == '__init__.py' else name.rpartition('.')[0]
        graph[name] = set()
        for node in import_nodes(path):
            if isinstance(node, ast.ImportFrom):
                base = importlib.util.resolve_name('.' * node.level + (node.module or ''), package)
                imported = [f'{base}.{alias.name}' for alias in node.names]
            else:
                imported = [alias.name for alias in node.names]
            for full in imported:
                target = full if full in modules else full.rpartition('.')[0]
                if target in modules and target != name:
                    graph[name].add(target)
    return graph


def room_of(module: str) -> str:
    return module.split('.')[1]


def test_every_room_has_its_place_in_the_order():
    assert {room_of(name) for name in import_graph() if '.' in name} <= {*ORDER, '__main__'}


def test_imports_go_downward_only():
    rooms = {
        (name, target)
        for name, targets in import_graph().items()
        for target in targets
        if '.' in name and '.' in target and '__main__' not in name
    }
    upward = [f'{a} -> {b}' for a, b in sorted(rooms) if ORDER.index(room_of(a)) < ORDER.index(room_of(b))]
    assert not upward


def test_no_module_imports_itself_by_way_of_others():
    graph = import_graph()
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(' -> '.join(error.args[1]))


def test_the_graph_includes_imports_inside_functions_and_rejects_circles(tmp_path, monkeypatch):
    package = tmp_path / 'vpd_mm'
    for name, text in {
        '__init__': '',
        'corpus/__init__': '',
        'corpus/store': 'def f():\n    from ..detect import scorer\n',
        'detect/__init__': '',
        'detect/scorer': 'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..corpus.store import f\n',
    }.items():
        (package / f'{name}.py').parent.mkdir(parents=True, exist_ok=True)
        (package / f'{name}.py').write_text(text)
    monkeypatch.setitem(globals(), 'ROOT', tmp_path)
    monkeypatch.setitem(globals(), 'SOURCES', sorted(package.rglob('*.py')))
    with pytest.raises(AssertionError, match=r'corpus\.store -> vpd_mm\.detect\.scorer'):
        test_imports_go_downward_only()
    with pytest.raises(pytest.fail.Exception, match=r'detect\.scorer'):
        test_no_module_imports_itself_by_way_of_others()


def test_every_folder_of_sources_is_a_package():
    assert all((path.parent / '__init__.py').is_file() for path in SOURCES)


def test_import_is_silent_light_and_leaves_mmaction_alone(tmp_path):
    code = (
        'import sys, time, torch\n'
        'start = time.process_time()\n'
        'import vpd_mm\n'
        'upstream = [m for m in sys.modules if m.startswith(("mmaction", "mmpose", "mmdet"))]\n'
        'print(time.process_time() - start, upstream)\n'
    )
    done = subprocess.run([sys.executable, '-W', 'default', '-c', code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ours = [line for line in done.stderr.splitlines() if 'vpd_mm' in line]
    assert not ours
    seconds, modules = done.stdout.split(' ', 1)
    assert float(seconds) < 1.5
    assert modules.strip() == '[]'


def test_tables_of_labels_need_no_torch_and_no_web_server():
    code = (
        'import sys, vpd_mm.importers, vpd_mm.interchange, vpd_mm.studio.labels\n'
        'print([m for m in ("torch", "mmengine.runner", "fastapi", "matplotlib") if m in sys.modules])'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, '[]'), done.stderr


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel of the files that git has or would take."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    tracked = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, capture_output=True, text=True)
    for name in tracked.stdout.split():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', str(folder)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (path,) = folder.glob('vpd_mm-*.whl')
    return path


def test_wheel_carries_configs_and_tools(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = [path for path in (ROOT / 'vpd_mm').rglob('*') if path.is_file() and '__pycache__' not in path.parts]
    assert not [path for path in wanted if str(path.relative_to(ROOT)) not in names]
    for folder in ('configs', 'tools', 'benchmarks', 'requirements'):
        for path in (ROOT / folder).rglob('*'):
            if path.is_file() and '__pycache__' not in path.parts:
                assert f'vpd_mm/.mim/{path.relative_to(ROOT)}' in names
    assert 'vpd_mm/.mim/model-index.yml' in names
    assert {name.partition('/')[0].partition('-')[0] for name in names} == {'vpd_mm'}


def test_metadata_agrees_with_the_requirements_and_the_check(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith('.dist-info/METADATA'))
        fields = message_from_bytes(archive.read(name))
        entry_points = archive.read(name.replace('METADATA', 'entry_points.txt')).decode()
    first, last = PYTHONS
    requirements = [Requirement(text) for text in fields.get_all('Requires-Dist')]
    needed = {r.name for r in requirements if 'extra' not in str(r.marker)}
    extras = {
        extra: {r.name for r in requirements if f'extra == "{extra}"' in str(r.marker)}
        for extra in fields.get_all('Provides-Extra')
    }
    assert fields['Version'] == __version__
    assert SpecifierSet(fields['Requires-Python']) == SpecifierSet(f'>=3.{first},<3.{last + 1}')
    minors = {text.rpartition('.')[2] for text in fields.get_all('Classifier') if ':: 3.' in text}
    assert minors == {str(minor) for minor in range(first, last + 1)}
    assert needed == listed('runtime')
    assert extras.keys() == {'mediapipe', 'onnx', 'wandb', 'docs', 'dev'}
    assert extras['dev'] == listed('tests') | {'pre-commit'}
    assert 'vpd-mm = vpd_mm.__main__:run' in entry_points


def listed(name: str) -> set[str]:
    """Names of the distributions in a requirements file."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return {Requirement(text).name for line in lines if (text := line.partition('#')[0].strip())}


def test_installation_page_names_the_versions_of_today():
    text = (ROOT / 'docs' / 'install.md').read_text(encoding='utf-8')
    pins = (ROOT / 'requirements' / 'runtime.txt').read_text().splitlines()
    assert {pin for pin in re.findall(r'torch(?:vision)?==\S+', text) if pin not in pins} == set()
    assert set(re.findall(r'vpd_mm-([\d.]+)-py3', text)) == {__version__}
    assert f'Python 3.{PYTHONS[0]}, 3.11, 3.12 or 3.{PYTHONS[1]}' in text
    (block,) = re.findall(r'<!-- make test-wheel.*-->\n```sh\n(.*?)```', text, re.DOTALL)
    assert 'vpd-mm check_env --fix run\nvpd-mm demo --scale tiny\n' in block


@pytest.mark.full
def test_installed_wheel_runs_from_any_folder(wheel, tmp_path):
    site = tmp_path / 'site'
    install = ['install', '-q', '--no-deps', '--no-index', '--target', str(site), str(wheel)]
    subprocess.run([sys.executable, '-m', 'pip', *install], check=True, capture_output=True)
    folder = tmp_path / 'elsewhere'
    folder.mkdir()

    def vpd_mm(*arguments: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(site), *filter(None, sys.path[1:])])}
        command = [sys.executable, site / 'bin' / 'vpd-mm', *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    assert vpd_mm('--version').stdout == f'vpd_mm {__version__}\n'
    failed = vpd_mm('train', 'configs/baselines/nothing.py')
    assert failed.returncode == 1
    assert failed.stderr.startswith('error: config configs/baselines/nothing.py: no such file')
    assert str(site) in failed.stderr
    text = vpd_mm('prepare', '--help').stdout
    assert text.startswith('usage: vpd-mm prepare [-h]')
    assert 'vpd-mm prepare my_videos/ --out data/real' in text
