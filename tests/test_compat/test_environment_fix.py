"""check_env --fix: the pip commands of an environment, printed and run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from vpd_mm.compat import environment, environment_fix

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / 'requirements'


def check_env(python: Path, cwd: Path, path: str = '/usr/bin:/bin') -> subprocess.CompletedProcess:
    return subprocess.run(
        [python, '-m', 'vpd_mm', 'check_env', '--fix'],
        cwd=cwd,
        env={'PATH': path, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope='module')
def bare(tmp_path_factory):
    """The Python of an environment with nothing in it, not even pip."""
    folder = tmp_path_factory.mktemp('bare') / 'venv'
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', folder], check=True)
    return folder / 'bin' / 'python'


def test_bare_environment_gets_every_line_in_order(bare, tmp_path):
    done = check_env(bare, tmp_path)
    assert done.returncode == 1, done.stderr
    ensurepip, torch, rest, openmmlab = done.stdout.splitlines()
    pins = [*environment_fix.pinned(REQUIREMENTS / 'runtime.txt').values()]
    assert ensurepip == f'{bare} -m ensurepip'
    assert torch == f'{bare} -m pip install {pins[0]}'
    assert pins[0].startswith('torch==')
    assert rest == f'{bare} -m pip install {" ".join(pins[1:])}'
    no_deps = ' '.join(environment_fix.pinned(REQUIREMENTS / 'openmmlab.txt').values())
    assert openmmlab == f'{bare} -m pip install --no-deps {no_deps}'


def test_environment_of_uv_has_no_pip_and_gets_lines_of_uv(bare, tmp_path):
    (tmp_path / 'uv').touch(0o755)
    lines = check_env(bare, tmp_path, f'{tmp_path}:/usr/bin:/bin').stdout.splitlines()
    assert lines[0].startswith(f'uv pip install --python {bare} torch==')
    assert lines[2].startswith(f'uv pip install --python {bare} --no-deps mmengine==')


def test_complete_environment_lacks_nothing():
    assert environment_fix.fix_commands(REQUIREMENTS) == []


def test_missing_package_is_named_with_its_version(monkeypatch):
    present = environment_fix.is_present
    monkeypatch.setattr(environment_fix, 'is_present', lambda name: name not in ('mmpose', 'lmdb') and present(name))
    pip = [sys.executable, '-m', 'pip', 'install']
    assert environment_fix.fix_commands(REQUIREMENTS) == [[*pip, 'lmdb==3.0.0'], [*pip, '--no-deps', 'mmpose==1.3.2']]


def test_two_opencv_are_replaced_by_one(monkeypatch):
    installed = {'opencv-python-headless': ('opencv-python-headless', '1'), 'opencv-python': ('opencv-python', '1')}
    bad = environment.Row('OpenCV', False, 'two')
    monkeypatch.setattr(environment, 'opencv_row', lambda: bad)
    real = environment_fix.provider
    monkeypatch.setattr(environment_fix, 'provider', lambda name: installed.get(name) or real(name))
    uninstall, install = environment_fix.fix_commands(REQUIREMENTS)
    assert uninstall[2:] == ['pip', 'uninstall', '-y', 'opencv-python-headless', 'opencv-python']
    assert re.fullmatch(r'opencv-python-headless==[\d.]+', ' '.join(install[4:]))


def test_package_that_does_not_import_is_installed_again(monkeypatch):
    rows = [environment.Row('mmengine.runner', True, ''), environment.Row('mmdet.apis', False, 'ImportError')]
    monkeypatch.setattr(environment, 'main_path', lambda: rows)
    (command,) = environment_fix.fix_commands(REQUIREMENTS)
    assert command[3:] == ['install', '--no-deps', '--force-reinstall', 'mmdet==3.3.0']


@pytest.mark.parametrize('minor', range(environment.PYTHONS[0], environment.PYTHONS[1] + 1))
@pytest.mark.parametrize('name', ['runtime.txt', 'openmmlab.txt', 'tests.txt'])
def test_markers_are_read_as_pip_reads_them(minor, name):
    for line in (REQUIREMENTS / name).read_text().splitlines():
        if line := line.partition('#')[0].strip():
            wanted = Requirement(line).marker
            marker = line.partition(';')[2].strip()
            version = {'python_version': f'3.{minor}'}
            assert environment_fix.applies(marker, (3, minor)) == (wanted is None or wanted.evaluate(version))
    with pytest.raises(ValueError, match='marker must be'):
        environment_fix.applies('sys_platform == "linux"')


def test_run_stops_at_the_first_failure(tmp_path):
    first, second = tmp_path / 'first', tmp_path / 'second'
    touch = [sys.executable, '-c', 'import pathlib, sys; pathlib.Path(sys.argv[1]).touch()']
    assert (
        environment_fix.run_commands([[*touch, str(first)], [sys.executable, '-c', 'exit(3)'], [*touch, str(second)]])
        == 3
    )
    assert first.exists()
    assert not second.exists()
