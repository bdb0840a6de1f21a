"""The tool studio: its arguments, the address that it prints, and its end."""

import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from studio import check_features, main, parse_args
from tiny_corpus import make_tiny

from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError

#: The tool with two more routes: one that lasts, and a WebSocket.
SCRIPT = """
import sys, time
from fastapi import APIRouter, WebSocket
from vpd_mm.studio import app
import studio

def routes(workspace):
    router = APIRouter()

    @router.get('/long')
    def long():
        time.sleep(600)

    @router.websocket('/socket')
    async def socket(socket: WebSocket):
        await socket.accept()
        await socket.send_text('hello')
        await socket.receive_text()

    return router

app.PARTS.append(routes)
studio.run_tool(studio.main)
"""


@pytest.fixture(scope='module')
def corpus(tmp_path_factory) -> Corpus:
    return make_tiny(tmp_path_factory.mktemp('studio') / 'tiny', {'a': 8, 'b': 8})


@pytest.mark.parametrize('port', ['-1', '65536', 'x', '1.5'])
def test_ports_that_do_not_exist(port):
    with pytest.raises(UserError, match='--port'):
        parse_args(['none', '--port', port])


def test_arguments_that_do_not_fit(corpus, tmp_path):
    root = str(corpus.root)
    for args, error in (
        ([str(tmp_path)], r'corpus\.json: no such file'),
        ([root, '--features', 'none'], r'--features none: .*tiny has teacher/joints'),
        ([root, '--features', '../joints'], '--features'),
        ([root, '--student', 'none'], '--student none: no such file or folder'),
        ([root, '--student', f'none.py:{root}/corpus.json'], '--student'),
        (
            [root, '--host', '192.0.2.1'],
            r'--host 192\.0\.2\.1 .*: cannot listen there .*an address of this machine',
        ),
    ):
        with pytest.raises(UserError, match=error):
            main(args)


def test_of_several_features_none_is_chosen_by_its_time(tmp_path):
    corpus = make_tiny(tmp_path / 'tiny', {'a': 8})
    assert check_features(corpus, None) == ''
    for name in ('new', 'old'):
        shutil.copytree(corpus.teacher_dir('joints'), corpus.features_dir(name))
        assert name == 'old' or check_features(corpus, None) == 'new'
    with pytest.raises(UserError, match=r'tiny: has several features; pass one of them: --features new, old$'):
        main([str(corpus.root)])


def test_a_port_in_use(corpus):
    with socket.create_server(('127.0.0.1', 0)) as used:
        port = used.getsockname()[1]
        with pytest.raises(UserError, match=rf'--port {port}: cannot listen there .*pass --port 0 for a free one'):
            main([str(corpus.root), '--port', str(port)])


def test_ctrl_c_ends_it_soon_whatever_is_open(corpus):
    """A connection, a WebSocket and a request that lasts."""
    tools = Path(__file__).parents[2] / 'tools'
    command = [sys.executable, '-c', f'import sys; sys.path.insert(0, {str(tools)!r})\n{SCRIPT}', str(corpus.root)]
    process = subprocess.Popen([*command, '--port', '0'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith('tiny: open http://127.0.0.1:'), process.stderr.read()
        url = line.split()[2]
        port = int(url.rpartition(':')[2].strip('/'))
        assert urllib.request.urlopen(url).status == 200  # noqa: S310  the server above
        upgrade = b'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: aaaaaaaaaaaaaaaaaaaaaA==\r\n'
        upgrade += b'Sec-WebSocket-Version: 13\r\n'
        clients = []
        for path, more in ((b'long', b''), (b'corpus', b''), (b'socket', upgrade)):
            clients.append(socket.create_connection(('127.0.0.1', port), timeout=30))
            clients[-1].sendall(b'GET /api/%s HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n' % (path, port, more))
        assert b'200 OK' in clients[1].recv(1000)
        assert b'101 Switching' in clients[2].recv(1000)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 5  # 0.5 s on an idle machine
        assert err == ''
        assert (process.returncode, out) == (0, '')
        for client in clients:
            client.close()
    finally:
        process.kill()
