"""A real browser without a window, for tests of pages."""

import html
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PHONE = 390  # px
_PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
<iframe id="page" width="{width}" height="844" style="border:0" srcdoc="{page}"></iframe>
<script>
window.addEventListener('load', () => {{
  const page = document.getElementById('page').contentDocument;
  const images = [...page.images];
  const out = document.createElement('output');
  out.textContent = [page.documentElement.scrollWidth, page.documentElement.clientWidth, page.body.scrollHeight,
    images.length, images.filter(i => !i.complete || !i.naturalWidth).length].join(' ');
  document.body.append(out);
}});
</script>"""


@dataclass(frozen=True)
class Rendered:
    """A page on a phone: widths and height in px, images, images that failed, lines of the console."""

    scroll_width: int
    width: int
    height: int
    images: int
    broken: int
    console: list[str]


def render_on_phone(path: Path, folder: Path) -> Rendered:
    """Open a page 390 px wide; skips where no Chromium is."""
    wrapper = folder / 'phone.html'
    page = html.escape(path.read_text(encoding='utf-8'))
    wrapper.write_text(_PAGE.format(width=PHONE, page=page), encoding='utf-8')
    done = _open(wrapper, folder)
    shown = re.search(r'<output>([\d ]+)</output>', done.stdout)
    assert shown, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
    return Rendered(*map(int, shown[1].split()), console)


def dump_page(path: Path, folder: Path) -> str:
    """HTML of a page after its scripts have run; skips where no Chromium is."""
    return _open(path, folder).stdout


def _open(path: Path, folder: Path) -> subprocess.CompletedProcess:
    chromium = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
    if chromium is None:
        pytest.skip('needs chromium')
    options = ['--headless=new', '--hide-scrollbars', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr']
    options += [f'--user-data-dir={folder / "profile"}', '--virtual-time-budget=5000', '--dump-dom']
    return subprocess.run([chromium, *options, f'file://{path}'], capture_output=True, text=True, timeout=120)
