"""The studio on a free port, and a real browser without a window that looks at it."""

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import pytest
import uvicorn
from media import burnt_number
from PIL import Image

from vpd_mm.studio import Workspace, create_app

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
    """A page whose errors are collected: of the console, of scripts and of requests.

    ``expected`` is a pattern of addresses whose requests may fail.
    """

    def __init__(self, page, expected: str = r'$^') -> None:
        self.page, self.errors, self.expected = page, [], re.compile(expected)
        page.on('console', lambda line: self._add(line.text, line.location.get('url', ''), line.type == 'error'))
        page.on('pageerror', lambda error: self._add(str(error), '', True))
        page.on('requestfailed', lambda request: self._add(f'{request.failure} {request.url}', request.url, True))
        page.on('response', lambda answer: self._add(f'{answer.status} {answer.url}', answer.url, answer.status >= 400))

    def _add(self, text: str, url: str, counts: bool) -> None:
        # a request that the page itself gives up (next frame, other view) is no failure
        if counts and 'net::ERR_ABORTED' not in text and not self.expected.search(url):
            self.errors.append(text)


def number_in(png: bytes) -> int:
    """Burnt-in number of an image file."""
    return burnt_number(np.asarray(Image.open(BytesIO(png)).convert('RGB')))
