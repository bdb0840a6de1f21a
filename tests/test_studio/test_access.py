"""Rules of access, over HTTP."""

import pytest
from fastapi import APIRouter, Request, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from tiny_corpus import make_tiny

from vpd_mm.studio import Access, Workspace, access, app, create_app

#: All addresses of the machine.
ANY = '0.0.0.0'  # noqa: S104
HOME = 'http://127.0.0.1:8765'
OWN = {'X-VPD-Studio': '1'}


def echo_routes(workspace: Workspace) -> APIRouter:
    """Routes that change something, as the parts of others have them."""
    router = APIRouter()

    @router.post('/echo')
    async def echo(request: Request) -> int:
        return len(await request.body())

    @router.post('/import/echo')
    async def echo_import(request: Request) -> int:
        return len(await request.body())

    @router.get('/broken')
    def broken() -> None:
        raise RuntimeError('secret of the server')

    @router.get('/full')
    def full() -> None:
        raise OSError(28, 'No space left on device', 'reviews.csv')

    @router.websocket('/socket')
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text('hello')

    return router


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Make a client of a server with these rules."""
    monkeypatch.setattr(app, 'PARTS', [*app.PARTS, echo_routes])
    corpus = make_tiny(tmp_path / 'tiny', {'a': 8, 'b': 8})

    def make(rules: Access | None = None, url: str = HOME) -> TestClient:
        return TestClient(create_app(Workspace(corpus), rules), base_url=url, raise_server_exceptions=False)

    return make


@pytest.mark.parametrize('host', ['127.0.0.1:8765', 'localhost:1', '[::1]:8765', 'LOCALHOST'])
def test_names_of_this_machine(client, host):
    assert client().get('/api/corpus', headers={'Host': host}).status_code == 200


@pytest.mark.parametrize(
    'host', ['evil.com', 'localhost.evil.com', '10.0.0.1:8765', '', '[', 'a:b:c', '127.0.0.1@evil.com:80']
)
def test_other_names_are_refused(client, host):
    answer = client().get('/api/corpus', headers={'Host': host})
    assert answer.status_code == 400
    assert answer.json() == {'error': 'the address names another machine; open the one that tools/studio.py prints'}


@pytest.mark.parametrize(
    'origin', ['http://evil.com', 'null', 'http://127.0.0.1:9999', 'http://localhost:8765', '', 'http://[']
)
def test_pages_of_other_sites_are_refused(client, origin):
    for send in (client().get, client().post):
        answer = send('/api/echo', headers={**OWN, 'Origin': origin})
        assert (answer.status_code, answer.json()) == (403, {'error': 'comes from a page of another site'})


@pytest.mark.parametrize('site', ['cross-site', 'same-site'])
def test_other_sites_embed_nothing(client, site):
    assert client().get('/api/corpus', headers={'Sec-Fetch-Site': site}).status_code == 403
    assert client().get('/', headers={'Sec-Fetch-Site': site}).status_code == 200  # a link to the page


def test_a_change_needs_the_header(client):
    for method in ('POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'):
        answer = client().request(method, '/api/echo')
        assert answer.status_code == 403
        assert 'needs the header X-VPD-Studio' in answer.json()['error']
    assert client().post('/api/echo', headers={**OWN, 'Origin': HOME}, content=b'abc').json() == 3


def test_bodies_are_limited(client, monkeypatch):
    monkeypatch.setattr(access, 'MAX_BODY', 1000)
    monkeypatch.setattr(access, 'MAX_IMPORT', 2000)

    def chunks(count):
        yield from [b'x' * 100] * count

    post = client().post
    assert post('/api/echo', headers=OWN, content=b'x' * 1000).json() == 1000
    for body in (b'x' * 1001, chunks(11)):
        answer = post('/api/echo', headers=OWN, content=body)
        assert answer.status_code == 413
        assert '1000' in answer.json()['error']
    assert post('/api/import/echo', headers=OWN, content=chunks(20)).json() == 2000
    assert post('/api/import/echo', headers=OWN, content=chunks(21)).status_code == 413
    assert post('/api/echo', headers={**OWN, 'Content-Length': '-1'}, content=b'').status_code == 413


def test_every_answer_is_guarded_and_an_error_shows_nothing(client):
    for path in ('/', '/js/main.js', '/api/corpus', '/api/none', '/none', '/../../app.py', '/api/videos/none'):
        headers = client().get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers['Content-Security-Policy']
        assert headers['X-Content-Type-Options'] == 'nosniff'
        assert headers['X-Frame-Options'] == 'DENY'
        assert headers['Cross-Origin-Resource-Policy'] == 'same-origin'
        assert 'Access-Control-Allow-Origin' not in headers
    assert client().get('/api/corpus').headers['Cache-Control'] == 'no-store'
    assert client().get('/api/none').json() == {'error': '/api/none: Not Found'}
    answer = client().get('/api/broken')
    assert answer.status_code == 500
    assert answer.json() == {'error': '/api/broken: RuntimeError; the window of the studio shows where'}
    for path in (
        '/docs',
        '/openapi.json',
        '/redoc',
        '/app.py',
        '/%2e%2e/app.py',
        '/..%2fapp.py',
        '/static/..%2f..%2fapp.py',
    ):
        assert client().get(path).status_code == 404


def test_a_full_disk_is_one_line(client):
    answer = client().get('/api/full')
    assert (answer.status_code, answer.json()) == (400, {'error': 'reviews.csv: No space left on device'})


SOCKET = 'ws://127.0.0.1:8765/api/socket'


def is_refused(client, url: str = SOCKET, **headers: str) -> bool:
    try:
        with client.websocket_connect(url, headers=headers) as socket:
            return socket.receive_text() != 'hello'
    except (WebSocketDisconnect, WebSocketDenialResponse):
        return True


def test_websockets_of_other_sites_are_refused(client):
    assert not is_refused(client(), Origin=HOME)
    assert is_refused(client(), Origin='http://evil.com')
    assert is_refused(client(), Origin='null')
    assert is_refused(client(), 'ws://evil.com/api/socket')


def test_another_machine_needs_the_token(client):
    rules = Access.of_host(ANY)
    assert len(rules.token) >= 40
    assert rules.token != Access.of_host(ANY).token
    assert rules.address(80).endswith(f':80/?token={rules.token}')
    make = lambda: client(rules, 'http://192.168.1.5:8765')  # noqa: E731
    for query in ('', '?token=', '?token=x', '?token=%E4', f'?token={rules.token[:-1]}'):
        for path in ('/', '/js/main.js', '/api/corpus'):
            answer = make().get(path + query)
            assert answer.status_code == 401
            assert 'Set-Cookie' not in answer.headers
            assert rules.token not in answer.text
    browser = make()
    answer = browser.get(f'/?token={rules.token}')
    assert answer.status_code == 200
    cookie = answer.headers['Set-Cookie']
    assert {'HttpOnly', 'SameSite=Strict', 'Path=/'} <= set(cookie.split('; '))
    assert browser.get('/api/corpus').status_code == 200
    assert 'Set-Cookie' not in browser.get('/api/corpus').headers
    assert browser.get('/api/corpus', headers={'Host': 'evil.com'}).status_code == 400
    url = 'ws://192.168.1.5:8765/api/socket'
    assert not is_refused(browser, url)
    assert is_refused(make(), url)
    assert not is_refused(make(), f'{url}?token={rules.token}')


@pytest.mark.parametrize('host', ['127.0.0.1', '127.0.0.2', 'localhost', '::1'])
def test_this_machine_needs_no_token(host):
    assert Access.of_host(host).token == ''
