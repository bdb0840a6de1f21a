"""Modules that library, search, training and review share and that know no page, tested by Node's test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize('name', ['format', 'keys', 'undo'])
def test_module(name):
    node = shutil.which('node')
    if node is None:
        pytest.skip('needs node')
    path = Path(__file__).with_name('panels') / f'{name}.test.mjs'
    done = subprocess.run([node, '--test', str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
