"""Modules of the page that draw nothing, tested by Node's test runner: one file of tests a module."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name('js')
STATIC = Path(__file__).parents[2] / 'vpd_mm' / 'studio' / 'static' / 'js'
#: They draw or build the page: tested in a browser.
OF_THE_PAGE = {'dialogs', 'overlays', 'panel', 'stage', 'timeline'}


@pytest.mark.parametrize('path', sorted(FOLDER.rglob('*.test.mjs')), ids=lambda path: path.name.partition('.')[0])
def test_module(path):
    node = shutil.which('node')
    if node is None:
        pytest.skip('needs node')
    done = subprocess.run([node, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


def test_every_module_has_tests():
    modules = {path.stem for path in (STATIC / 'player').glob('*.js')}
    assert modules - OF_THE_PAGE == {path.name.partition('.')[0] for path in (FOLDER / 'player').glob('*.test.mjs')}


def test_nothing_moves_or_fades():
    """A colour that fades is unreadable on the way, such as text that is still dark on a page that became dark."""
    sheets = sorted(STATIC.parent.glob('*.css'))
    assert [sheet.name for sheet in sheets] == ['player.css', 'style.css']
    for sheet in sheets:
        assert not re.search(r'transition|animation|keyframes', sheet.read_text(encoding='utf-8')), sheet


def test_content_security_policy():
    """Pages have no script or style of their own, and modules set no style attribute."""
    for path in STATIC.rglob('*.js'):
        text = path.read_text(encoding='utf-8')
        for forbidden in ('innerHTML', 'style: ', "'style'", 'eval(', 'new Function'):
            assert forbidden not in text, f'{path.name}: {forbidden}'
    page = (STATIC.parent / 'index.html').read_text(encoding='utf-8')
    assert '<style' not in page
    assert 'style=' not in page
    assert page.count('<script') == page.count('<script type="module" src=')
