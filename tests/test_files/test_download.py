"""Downloads from a server on loopback: slow, cut, stalled, resumed, wrong."""

import hashlib
import time

import numpy as np
import pytest
from zoo_server import serve

from vpd_mm.files import download as module
from vpd_mm.files.download import DownloadError, download

CONTENT = np.random.default_rng(0).bytes(200_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()[:8]


@pytest.fixture
def fetch(tmp_path):
    """Download CONTENT from a server to ``x.pth``; the calls of ``on_progress`` are in ``fetch.progress``."""

    def run(digest=DIGEST, name='x.pth', progress=lambda *_: None, **options):
        with serve({'x.pth': CONTENT}, **options) as zoo:
            try:
                download(zoo.url(name), tmp_path / 'x.pth', digest, progress)
            finally:
                run.requests = zoo.requests
        return (tmp_path / 'x.pth').read_bytes()

    return run


@pytest.mark.parametrize('digest', [DIGEST, ''])
@pytest.mark.parametrize('options', [{'kind': 'text/plain'}, {'delay': 0.02}, {'length': False}, {'ranges': False}])
def test_whole_and_slow_files(fetch, tmp_path, digest, options):
    calls = []
    assert fetch(digest, progress=lambda *call: calls.append(call), **options) == CONTENT
    assert fetch.requests == ['']
    assert calls[-1] == (len(CONTENT), len(CONTENT) if options.get('length', True) else 0)
    assert [path.name for path in tmp_path.iterdir()] == ['x.pth']


@pytest.mark.parametrize('digest', [DIGEST, ''])
@pytest.mark.parametrize('ranges', [True, False])
def test_a_cut_transfer_is_resumed(fetch, digest, ranges):
    """A server without ranges starts again each time."""
    assert fetch(digest, cut=[50_000, 10_000 if ranges else 60_000], ranges=ranges) == CONTENT
    assert fetch.requests == ['', 'bytes=50000-', 'bytes=60000-']


@pytest.mark.parametrize(('digest', 'requests'), [(DIGEST, ['bytes=120000-']), ('', [''])])
def test_a_later_call_resumes_a_file_of_known_hash(fetch, tmp_path, monkeypatch, digest, requests):
    monkeypatch.setattr(module, 'STALL_SEC', 0.2)
    start = time.monotonic()
    broke = r'http://127.*x\.pth \(the connection broke after 0.1 MB; run again\)$'
    with pytest.raises(DownloadError, match=broke):
        fetch(digest, cut=[120_000, 0], stall=True)
    assert time.monotonic() - start < 5
    assert [path.name for path in tmp_path.iterdir()] == ['.x.pth.part']
    assert fetch(digest) == CONTENT
    assert fetch.requests == requests


@pytest.mark.parametrize('start', [b'other' * 10, CONTENT, CONTENT + b'more'])
def test_the_rest_of_another_run(fetch, tmp_path, start):
    """A start of another file, a whole one that was not renamed, and one that is too long."""
    (tmp_path / '.x.pth.part').write_bytes(start)
    assert fetch() == CONTENT


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'digest': '0123abcd'}, f'its SHA-256 starts with {DIGEST}, not with 0123abcd of its name'),
        ({'name': 'y.pth'}, 'HTTP 404 Not Found'),
        ({'kind': 'text/html'}, 'the answer is a page'),
        ({'wait': 0.6}, 'no answer within 0.2 s'),
        ({'cut': [0]}, 'the connection broke after 0.0 MB'),
    ],
)
def test_errors_are_one_line_and_leave_nothing(fetch, tmp_path, monkeypatch, options, message):
    monkeypatch.setattr(module, 'CONNECT_SEC', 0.2)
    with pytest.raises(DownloadError, match=rf'^cannot download http://127\.0\.0\.1:\d+/[xy]\.pth \({message}'):
        fetch(**options)
    assert all(path.stat().st_size == 0 for path in tmp_path.iterdir())


@pytest.mark.parametrize('length', [True, False])
def test_files_have_a_largest_size(fetch, tmp_path, monkeypatch, length):
    monkeypatch.setattr(module, 'MAX_BYTES', 100_000)
    with pytest.raises(DownloadError, match='larger than 100000 bytes'):
        fetch(length=length)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('url', 'message'),
    [
        ('http://127.0.0.1:9/x.pth', 'Connection refused'),
        ('http://name.invalid/x.pth?token=secret', r'x\.pth \([^?]*\)$'),
        ('http://[1/x.pth', 'Invalid IPv6|IPv6'),
    ],
)
def test_unreachable_servers(tmp_path, url, message):
    with pytest.raises(DownloadError, match=message):
        download(url, tmp_path / 'x.pth', '', lambda *_: None)


def test_a_name_that_is_never_resolved(tmp_path, monkeypatch):
    """A look-up has no time-out of its own."""
    monkeypatch.setattr(module, 'CONNECT_SEC', 0.2)
    monkeypatch.setattr('socket.getaddrinfo', lambda *_, **__: time.sleep(3))
    start = time.monotonic()
    with pytest.raises(DownloadError, match='no answer within'):
        download('http://name.invalid/x.pth', tmp_path / 'x.pth', '', lambda *_: None)
    assert time.monotonic() - start < 2
