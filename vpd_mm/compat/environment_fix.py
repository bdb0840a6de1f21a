"""The pip commands that install what an environment lacks (``tools/check_env.py --fix``)."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import environment
from .bridge import find_elsewhere, provider


def fix_commands(requirements: Path) -> list[list[str]]:
    """Return the commands, in their order, that install what is missing; empty if nothing is.

    The versions are those of ``runtime.txt`` and ``openmmlab.txt`` in ``requirements``, with which vpd_mm is tested.
    What is installed is kept, whatever its version, except for a second OpenCV and for packages that do not import.
    """
    runtime, openmmlab = (pinned(requirements / name) for name in ('runtime.txt', 'openmmlab.txt'))
    missing = [pin for name, pin in runtime.items() if not is_present(name)]
    without_dependencies = [pin for name, pin in openmmlab.items() if not is_present(name)]
    surplus = [] if environment.opencv_row().good else [name for name in environment.OPENCV if provider(name)]
    # torch comes first and alone: torchvision must find it, and pip takes the build that the machine offers.
    first = [pin for pin in missing if pin == runtime['torch']]
    rest = [pin for pin in missing if pin not in first]
    broken = [] if missing or without_dependencies else [openmmlab[name] for name in broken_packages()]
    commands = (
        (['uninstall', '-y'], surplus),
        (['install'], first),
        (['install'], rest),
        (['install', '--no-deps'], without_dependencies),
        (['install', '--no-deps', '--force-reinstall'], broken),
    )
    return with_installer([*command, *names] for command, names in commands if names)


def broken_packages() -> list[str]:
    """Return the distributions of the main path that are installed and do not import."""
    broken = {row.name.partition('.')[0] for row in environment.main_path() if not row.good}
    return [distribution for name, distribution in environment.REQUIRED.items() if name in broken]


def pinned(path: Path) -> dict[str, str]:
    """Read a requirements file: distribution -> 'distribution==version' for this Python."""
    pins = {}
    for line in path.read_text(encoding='utf-8').splitlines():
        requirement, _, marker = line.partition('#')[0].partition(';')
        if requirement.strip() and applies(marker.strip()):
            pins[requirement.partition('==')[0].strip()] = requirement.strip()
    return pins


def applies(marker: str, version: tuple[int, int] = sys.version_info[:2]) -> bool:
    """Evaluate the only kind of marker in our files; ``packaging`` may be missing here."""
    if not marker:
        return True
    match = re.fullmatch(r'python_version (>=|<) "3\.(\d+)"', marker)
    if match is None:
        raise ValueError(f"marker must be 'python_version >= \"3.N\"' or '<', found {marker!r}")
    return (version >= (3, int(match[2]))) == (match[1] == '>=')


def is_present(distribution: str) -> bool:
    """Return whether a distribution, one that stands for it, or its package without a distribution is there."""
    if distribution in environment.OPENCV:
        return environment.opencv_row().good
    names = [name for name, required in environment.REQUIRED.items() if required == distribution]
    return any(provider(name) for name in (distribution, *names)) or any(find_elsewhere(name) for name in names)


def with_installer(commands: Iterable[Sequence[str]]) -> list[list[str]]:
    """Put this environment's pip in front; where it has none, uv, or else the installation of pip."""
    pip = [sys.executable, '-m', 'pip']
    commands = [list(command) for command in commands]
    if not commands or find_elsewhere('pip') is not None:
        return [[*pip, *command] for command in commands]
    if shutil.which('uv') is None:
        return [[sys.executable, '-m', 'ensurepip'], *([*pip, *command] for command in commands)]
    uv = [['uv', 'pip', name, '--python', sys.executable, *rest] for name, *rest in commands]
    return [[word for word in command if word != '-y'] for command in uv]


def run_commands(commands: Iterable[Sequence[str]]) -> int:
    """Run the commands until one fails; return its exit status, or that of a second check of the environment."""
    for command in (*commands, [sys.executable, '-m', 'vpd_mm', 'check_env']):
        if status := subprocess.run(command).returncode:  # noqa: S603  printed before, without a shell
            return status
    return 0
