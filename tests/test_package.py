"""The package as a whole: import cost, import order, what the wheel holds, the house rules."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / 'vpd_mm').rglob('*.py'))
STEPS = ('athlete', 'teacher', 'distill', 'features', 'recognize', 'retrieve', 'detect', 'baselines')
BELOW = ('compat', 'engine', 'structures', 'corpus', 'registry', 'errors', 'version')


def vpd_imports(path: Path) -> set[str]:
    """The first-level parts of vpd_mm that a file imports, anywhere in it."""
    parts = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            full = base + (node.module.split('.') if node.module else [])
            names = [full + [alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split('.') for alias in node.names]
        else:
            continue
        parts |= {name[1] for name in names if name[0] == 'vpd_mm' and len(name) > 1}
    return parts


@pytest.mark.parametrize('step', STEPS)
def test_a_step_never_imports_a_later_one(step):
    allowed = {*BELOW, *STEPS[: STEPS.index(step) + 1], '__version__'}
    for path in (ROOT / 'vpd_mm' / step).rglob('*.py'):
        assert vpd_imports(path) <= allowed, path


@pytest.mark.parametrize('part', ['structures', 'corpus', 'engine', 'compat'])
def test_the_base_imports_no_step(part):
    for path in (ROOT / 'vpd_mm' / part).rglob('*.py'):
        if 'benchmarks' in path.parts:  # they time the steps
            continue
        assert not vpd_imports(path) & {*STEPS, 'apis', 'importers', 'synthetic'}, path


def test_no_file_is_longer_than_the_house_allows():
    files = [*SOURCES, *(ROOT / 'tools').glob('*.py'), *(ROOT / 'tests').rglob('*.py')]
    long = {str(p.relative_to(ROOT)): n for p in files if (n := len(p.read_text().splitlines())) > 350}
    assert not long


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


def test_wheel_carries_configs_and_tools_and_runs_outside_the_checkout(tmp_path):
    build = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', str(tmp_path)]
    source = tmp_path / 'source'
    tracked = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, capture_output=True, text=True)
    for name in tracked.stdout.split():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob('vpd_mm-*.whl')
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / 'site')
    for path in SOURCES:
        assert str(path.relative_to(ROOT)) in names
    for folder in ('configs', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            assert f'vpd_mm/.mim/{path.relative_to(ROOT)}' in names
    done = subprocess.run(
        [sys.executable, '-m', 'vpd_mm', 'train', 'configs/baselines/nothing.py'],
        cwd=tmp_path / 'site',
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith('error: config configs/baselines/nothing.py: no such file')
    assert str(tmp_path / 'site') in done.stderr
