"""Download a file over HTTP: resumed after a break, of limited size, checked against its SHA-256."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ..errors import UserError
from .reading import file_digest
from .writing import check_no_link, disk_errors_name

#: Seconds until a server must answer, the look-up of its name included, and between two blocks of its file.
CONNECT_SEC, STALL_SEC = 10.0, 30.0
#: Largest file (the models of the zoos have up to 3 GB).
MAX_BYTES = 8 << 30
#: Transfers of one call: a server may cut long ones.
MAX_TRANSFERS = 5
_BLOCK = 1 << 20


class DownloadError(UserError):
    """A file cannot be downloaded."""


def download(url: str, path: Path, digest: str, on_progress: Callable[[int, int], None]) -> None:
    """Download ``url`` to ``path``, which appears when it is complete.

    Until then its bytes are in ``.<name>.part`` beside it.  With a digest a later call resumes them; without one it
    starts again: the file of the server may be another one by then.

    Args:
        url: Address that starts with ``http://`` or ``https://``.
        path: New file in an existing folder.  Only one process may call this for a path.
        digest: First digits of the SHA-256 of the file; '' where it is not known.
        on_progress: Called with (bytes done, bytes in all); 0 in all: not known.

    Raises:
        DownloadError: no answer, an answer that is no such file, a connection that breaks, or another SHA-256.
    """
    part = path.with_name(f'.{path.name}.part')
    check_no_link(part)
    if not digest:
        part.unlink(missing_ok=True)
    try:
        for _ in range(MAX_TRANSFERS):
            start = part.stat().st_size if part.exists() else 0
            done, total = _receive(url, part, start, on_progress)
            if done < total:
                if done == start:
                    break
            elif (actual := file_digest(part)).startswith(digest):
                os.replace(part, path)
                return
            else:
                part.unlink()
                if not start:
                    raise UserError(f'its SHA-256 starts with {actual[: len(digest)]}, not with {digest} of its name')
        raise UserError(f'the connection broke after {done / 1e6:.1f} MB; run again')
    except UserError as e:
        raise DownloadError(f'cannot download {url.partition("?")[0]} ({e})') from e


def _receive(url: str, part: Path, start: int, on_progress: Callable[[int, int], None]) -> tuple[int, int]:
    """Append what is missing of a file to its first ``start`` bytes; return the bytes done and in all."""
    response = _connect(url, start)
    if response is None:  # there is nothing after ``start``
        return start, start
    with response, disk_errors_name(part):
        if response.headers.get_content_type() == 'text/html':
            raise UserError('the answer is a page, as of a login or a proxy, not a file')
        if response.status != 206:  # the whole file
            start = 0
        length = response.headers.get('Content-Length', '')
        total = start + int(length) if length.isdecimal() else 0
        done = start
        with open(part, 'ab' if start else 'wb') as f:
            while max(done, total) <= MAX_BYTES:
                try:
                    block = response.read1(_BLOCK)
                except (OSError, HTTPException):
                    return done, max(total, done + 1)
                if not block:
                    os.fsync(f.fileno())
                    return done, total
                f.write(block)
                done += len(block)
                on_progress(done, total)
    part.unlink()
    raise UserError(f'it is larger than {MAX_BYTES} bytes')


def _connect(url: str, start: int) -> HTTPResponse | None:
    """Ask for a file from its byte ``start`` on; None where the server has no such byte.

    A thread asks, as the look-up of a name has no time-out of its own.
    """
    headers = {'User-Agent': 'vpd_mm', 'Accept-Encoding': 'identity'} | ({'Range': f'bytes={start}-'} if start else {})
    answer: Future[HTTPResponse] = Future()

    def ask() -> None:
        try:
            request = Request(url, headers=headers)  # noqa: S310  # an address that starts with http
            answer.set_result(urlopen(request, timeout=STALL_SEC))  # noqa: S310
        except Exception as e:
            answer.set_exception(e)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.result(CONNECT_SEC)
    except HTTPError as e:
        if e.code == 416 and start:
            return None
        raise UserError(f'HTTP {e.code} {e.reason}') from e
    except NoAnswerError as e:
        raise UserError(f'no answer within {CONNECT_SEC:g} s') from e
    except (OSError, HTTPException, ValueError) as e:
        reason = e.reason if isinstance(e, URLError) else e
        raise UserError(getattr(reason, 'strerror', None) or reason) from e
