"""Completion scripts of ``vpd-mm``: all tools and options, and a bash that completes."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest

from vpd_mm.engine.completion import SHELLS, completion_script
from vpd_mm.engine.tool_list import list_tools

#: Keys that a person types, to the arguments that ``vpd-mm`` gets.
LINES = {
    'vpd-mm prep\t': 'prepare',
    'vpd-mm prepare --pose-\t': 'prepare --pose-name',
    'vpd-mm prepare --flow f\t': 'prepare --flow farneback',
    'vpd-mm prepare my\tj\t --boxes my\t': 'prepare my_videos/jump one.mp4 --boxes my_videos/',
    'vpd-mm train --work-dir my\t': 'train --work-dir my_videos/',
    'vpd-mm import_dataset penn\t --o\t my\t': 'import_dataset penn-action --out my_videos/',
    'vpd-mm benchmark dt\t': 'benchmark dtw',
}


@pytest.fixture(scope='module')
def scripts():
    return {shell: completion_script(shell) for shell in SHELLS}


@pytest.fixture(scope='module')
def folder(tmp_path_factory, scripts):
    folder = tmp_path_factory.mktemp('shell')
    (folder / 'my_videos').mkdir()
    (folder / 'my_videos' / 'jump one.mp4').touch()
    for shell, script in scripts.items():
        (folder / f'script.{shell}').write_text(script)
    (folder / 'zfunc').mkdir()
    (folder / 'zfunc' / '_vpd-mm').write_text(scripts['zsh'])
    return folder


@pytest.fixture(scope='module', params=['bash', 'zsh'])
def shell(request, folder):
    """An interactive shell with the script, and without Python; its ``vpd-mm`` prints its arguments."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f'needs {request.param}')
    options = {'bash': ['--norc', '--noprofile', '-i'], 'zsh': ['-f', '-i']}[request.param]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [program, *options],
        cwd=folder,
        env={'PATH': '/nowhere', 'TERM': 'dumb', 'PS1': '', 'INPUTRC': '/dev/null', 'HOME': str(folder)},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)

    def type_keys(keys: str, end: str = '>>>') -> str:
        os.write(leader, f'{keys}\n'.encode())
        text, deadline = '', time.monotonic() + 20
        while f'{end}\r\n' not in text:
            assert time.monotonic() < deadline, text
            if select.select([leader], [], [], 1)[0]:
                text += os.read(leader, 65536).decode()
        return text.rpartition('<<<')[2].partition(end)[0]

    if request.param == 'zsh':
        load = 'fpath+=$PWD/zfunc; autoload -Uz compinit; compinit -D -u; unsetopt auto_remove_slash'
    else:
        load = 'source script.bash'
    type_keys(f'{load}; vpd-mm() {{ printf "<<%s%s%s\\n" "<" "$*" ">>>"; }}; vpd-mm')
    yield type_keys
    process.kill()
    process.wait()
    os.close(leader)


@pytest.mark.parametrize('name', SHELLS)
def test_script_names_every_tool_and_its_options(name, scripts):
    assert not [tool for tool in list_tools() if tool not in scripts[name]]
    assert 'pose-name' in scripts[name]


def test_shell_completes_within_a_second(shell):
    for keys, line in LINES.items():
        start = time.perf_counter()
        assert shell(keys).split() == line.split()
        assert time.perf_counter() - start < 1


@pytest.mark.skipif(shutil.which('fish') is None, reason='needs fish')
def test_fish_completes(folder):
    for line, word in {'prep': 'prepare', 'prepare --flow f': 'farneback', 'prepare --boxes my': 'my_videos/'}.items():
        command = ['fish', '--no-config', '-c', f'source script.fish; complete -C "vpd-mm {line}"']
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert word in done.stdout.split(), done.stderr
