"""The studio on a free port, and a real browser without a window that looks at it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from media import burnt_number
from PIL import Image
from studio_corpus import RUN, make_studio_corpus

from vpd_mm.corpus import Corpus
from vpd_mm.engine.locks import file_lock
from vpd_mm.studio import Workspace, create_app

ROOT = Path(__file__).resolve().parents[1]
#: Wide window of a desktop, and a phone.
DESKTOP, PHONE = {'width': 1440, 'height': 900}, {'width': 390, 'height': 844}


@contextmanager
def serve(workspace: Workspace) -> Iterator[str]:
    """Serve a workspace from a thread; gives the address."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(workspace), log_level='warning'))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        end = time.monotonic() + 30
        while not server.started and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.02)
        assert server.started
        try:
            yield f'http://127.0.0.1:{listener.getsockname()[1]}'
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def start_studio(*arguments: object, cwd: Path) -> Iterator[str]:
    """Run ``tools/studio.py`` on a free port; gives the address that it prints, and stops it as Ctrl+C does."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, ROOT / 'tools/studio.py', *arguments, '--port', port]
    with subprocess.Popen([*map(str, words)], cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout.readline, '')
            url = next((found[0] for line in lines if (found := re.search(r'http://[^\s/]+(?=/|\s|$)', line))), None)
            assert url, f'ended with status {process.wait(10)} before it printed an address'
            _wait_for(port)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _wait_for(port: int, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        with suppress(ConnectionRefusedError), socket.create_connection(('127.0.0.1', port)):
            return
        assert time.monotonic() < end, f'nothing listens on port {port}'
        time.sleep(0.05)


@contextmanager
def chromium() -> Iterator:
    """Open Chromium; skips where it or Playwright is missing."""
    sync_api = pytest.importorskip('playwright.sync_api', reason='needs Playwright (make test-browser installs it)')
    path = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
    if path is None:
        pytest.skip('needs Chromium (make test-browser installs it)')
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=['--no-sandbox', '--disable-gpu'])
        yield browser
        browser.close()


class Watched:
    """Collects the errors of a page: of the console, of scripts and of requests.

    ``expected`` is a pattern of lines that a test causes itself.
    """

    def __init__(self, page) -> None:
        self.errors: list[str] = []
        self.expected = r'$^'
        page.on('console', lambda line: line.type == 'error' and self._add(f'{line.text} {line.location.get("url")}'))
        page.on('pageerror', lambda error: self._add(str(error)))
        page.on('requestfailed', lambda request: self._add(f'{request.failure} {request.url}'))

    def _add(self, line: str) -> None:
        # a request that the page itself gives up (the next frame, another view) is no failure
        if 'net::ERR_ABORTED' not in line and not re.search(self.expected, line):
            self.errors.append(line)


def number_in(png: bytes) -> int:
    """Burnt-in number of an image file."""
    return burnt_number(np.asarray(Image.open(BytesIO(png)).convert('RGB')))


@pytest.fixture(scope='module')
def browser() -> Iterator:
    with chromium() as found:
        yield found


@pytest.fixture(scope='session')
def prepared(tmp_path_factory) -> Path:
    """Folder of a corpus, made once for all processes of a run; copied before it is changed."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base) / 'prepared_studio'
    with file_lock(Path(f'{folder}.lock'), wait_sec=300):
        if not folder.exists():
            make_studio_corpus(folder.with_suffix('.part')).root.rename(folder)
    return folder


@pytest.fixture(scope='module')
def studio(browser, prepared, tmp_path_factory) -> Iterator[tuple[str, Corpus]]:
    """Address and corpus of a studio; without a browser nothing is made."""
    corpus = Corpus.open(shutil.copytree(prepared, tmp_path_factory.mktemp('studio') / 'numbers'))
    with serve(Workspace(corpus, RUN)) as url:
        yield url, corpus


@pytest.fixture(scope='module')
def window(browser) -> Iterator:
    """A window of the browser with an empty page that keeps it open: a window of its own costs a test a second."""
    context = browser.new_context(accept_downloads=True)
    context.new_page()
    yield context
    context.close()


@pytest.fixture
def open_page(window) -> Iterator[Callable]:
    """Function that opens an address in a page of its own, which must show no error until the test ends.

    Its options are the size of the page, and ``expected`` as of :class:`Watched`.  No test finds storage, cookies or
    cached files of another one.
    """
    first, watches = window.pages[0], []

    def open_page(url: str, expected: str = r'$^', viewport: dict = DESKTOP):
        page = window.new_page()
        page.set_viewport_size(viewport)
        page.set_default_timeout(60_000)
        watches.append(Watched(page))
        watches[-1].expected = expected
        page.goto(url)
        return page

    yield open_page
    errors = [line for watched in watches for line in watched.errors]
    for page in window.pages[1:]:
        page.close()
    session = window.new_cdp_session(first)
    session.send('Storage.clearDataForOrigin', {'origin': '*', 'storageTypes': 'all'})
    session.send('Network.clearBrowserCache')
    session.detach()
    assert not errors, errors
