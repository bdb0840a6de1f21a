"""A web server on loopback that plays a model zoo: whole, slow, cut, stalled, wrong and missing files."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Zoo:
    """Files by name, how they are served, and the ``Range`` of every request ('' without)."""

    files: dict[str, bytes]
    cut: list[int] = field(default_factory=list)  # bytes after which the next transfers end
    stall: bool = False  # a cut transfer waits instead
    delay: float = 0.0  # seconds before each of ten parts
    wait: float = 0.0  # seconds before the answer
    ranges: bool = True
    length: bool = True
    kind: str = 'application/octet-stream'
    requests: list[str] = field(default_factory=list)
    port: int = 0

    def url(self, name: str) -> str:
        return f'http://127.0.0.1:{self.port}/{name}'

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get('Range', '')
        self.requests.append(asked)
        time.sleep(self.wait)
        content = self.files.get(handler.path[1:].partition('?')[0])
        if content is None:
            return handler.send_error(404)
        start = int(re.fullmatch(r'bytes=(\d+)-', asked)[1]) if asked and self.ranges else 0
        if start and start >= len(content):
            return handler.send_error(416)
        handler.send_response(206 if start else 200)
        handler.send_header('Content-Type', self.kind)
        if self.length:
            handler.send_header('Content-Length', str(len(content) - start))
        handler.end_headers()
        rest = content[start:]
        end = self.cut.pop(0) if self.cut else len(rest)
        step = max(1, len(rest) // 10)
        with suppress(OSError):  # the client may have left
            for i in range(0, end, step):
                time.sleep(self.delay)
                handler.wfile.write(rest[i : min(i + step, end)])
            if end < len(rest) and self.stall:
                time.sleep(1)


@contextmanager
def serve(files: dict[str, bytes], **options: object) -> Iterator[Zoo]:
    """Serve files until the end of the block."""
    zoo = Zoo(files, **options)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            zoo.answer(self)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        zoo.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield zoo
        finally:
            server.shutdown()
            thread.join()
