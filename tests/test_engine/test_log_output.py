"""Output that goes to a log while a console keeps the terminal."""

CODE = """
import os, sys
from pathlib import Path
from vpd_mm.engine.cli import log_output
print('before')
with log_output(Path('logs/run.log')) as console:
    print('printed')
    print('warned', file=sys.stderr)
    os.system('echo child')
    console.print('progress')
print('after')
"""


def test_only_the_console_reaches_the_terminal(run_python, tmp_path):
    for _ in range(2):
        done = run_python('-c', CODE, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ['before', 'progress', 'after']
        assert done.stderr == ''
    assert sorted((tmp_path / 'logs' / 'run.log').read_text().split()) == sorted(2 * ['printed', 'warned', 'child'])
