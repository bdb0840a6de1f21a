"""Rules of access: pages of other sites, other machines without the token and oversized bodies are refused."""

import ipaddress
import secrets
import socket
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..corpus.stale_files import digest

LOOPBACK = ('127.0.0.1', 'localhost', '::1')
#: Header without which nothing is changed: pages of other sites cannot send it.
REQUEST_HEADER = 'X-VPD-Studio'
#: Bytes of the largest body, and of the largest file that is imported.
MAX_BODY, MAX_IMPORT = 4 << 20, 256 << 20
_IMPORT = '/api/import/'
_READING = ('GET', 'HEAD')
#: Headers of every response.  Scripts, styles and images come from this server alone; no other page may embed it.
SECURITY_HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
}


@dataclass(frozen=True)
class Access:
    """Rules of access.

    Args:
        host: Address that the server listens on.
        token: Secret without which another machine gets nothing; '' on this machine alone.
    """

    host: str = LOOPBACK[0]
    token: str = ''

    @classmethod
    def of_host(cls, host: str) -> 'Access':
        """Make a new token, where other machines reach the address."""
        return cls(host, '' if is_loopback(host) else secrets.token_urlsafe())

    def address(self, port: int) -> str:
        """The address to open, with the token; of a server on all addresses of the machine, by its name."""
        host = socket.gethostname() if self.host in ('0.0.0.0', '::') else self.host  # noqa: S104  compared only
        host = f'[{host}]' if ':' in host else host
        return f'http://{host}:{port}/' + (f'?token={self.token}' if self.token else '')

    @property
    def cookie(self) -> str:
        """Name of the cookie; another studio on the same machine has another one."""
        return f'vpd_studio_{digest(self.token)}'

    def allows_host(self, name: str) -> bool:
        """True for a name of this machine in an address, without its port.

        An attacker can let a name of his own lead here (DNS rebinding), but no number.
        """
        if name in LOOPBACK:
            return True
        if is_loopback(self.host):
            return False
        return name in (self.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()) or _is_address(name)

    def knows(self, scope: Scope, headers: Headers) -> tuple[bool, bool]:
        """Return whether a request has the token, and whether it is in its address."""
        if not self.token:
            return True, False
        given = parse_qs(scope['query_string'].decode('latin-1')).get('token', [''])[0]
        cookie = cookie_parser(headers.get('cookie', '')).get(self.cookie, '')
        return any([self._same(given), self._same(cookie)]), self._same(given)

    def _same(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), self.token.encode())


class Guard:
    """ASGI middleware that applies :class:`Access` and adds :data:`SECURITY_HEADERS`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope['type'] not in ('http', 'websocket'):
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        known, by_address = self.access.knows(scope, headers)
        refusal = self._refusal(scope, headers, known)

        async def send_guarded(message: Message) -> None:
            if message['type'] == 'http.response.start':
                out = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    out.setdefault(name, value)
                out.setdefault('Cache-Control', 'no-store' if scope['path'].startswith('/api/') else 'no-cache')
                if by_address and not refusal:
                    rules = 'Path=/; HttpOnly; SameSite=Strict'
                    out.append('Set-Cookie', f'{self.access.cookie}={self.access.token}; {rules}')
            await send(message)

        if refusal and scope['type'] == 'websocket':
            return await send({'type': 'websocket.close', 'code': 1008, 'reason': refusal[1]})
        if refusal:
            return await JSONResponse({'error': refusal[1]}, refusal[0])(scope, receive, send_guarded)
        await self.app(scope, _limited(scope, receive), send_guarded)

    def _refusal(self, scope: Scope, headers: Headers, known: bool) -> tuple[int, str] | None:
        """Return status and reason for which a request is refused."""
        host = headers.get('host', '')
        if not self.access.allows_host(_host_name(host)):
            return 400, 'the address names another machine; open the one that tools/studio.py prints'
        origin = headers.get('origin')
        if origin is not None and origin.partition('://')[2].lower() != host.lower():
            return 403, 'comes from a page of another site'
        if scope['path'].startswith('/api/') and headers.get('sec-fetch-site', 'none') not in ('same-origin', 'none'):
            return 403, 'comes from a page of another site'
        if not known:
            return 401, 'needs the token; open the address that tools/studio.py prints'
        if scope['type'] == 'http':
            if scope['method'] not in _READING and REQUEST_HEADER not in headers:
                return 403, f'a request that changes something needs the header {REQUEST_HEADER}'
            length = headers.get('content-length', '0')
            if not length.isdecimal() or int(length) > _most_bytes(scope):
                return 413, f'has {length} bytes, at most {_most_bytes(scope)} are read'
        return None


def is_loopback(host: str) -> bool:
    """True for an address of this machine that no other one reaches."""
    return host == 'localhost' or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host_name(host: str) -> str:
    """Return the header Host without the port, and an IPv6 address without its brackets; '' where it is not valid."""
    try:
        return urlsplit(f'//{host}').hostname or ''
    except ValueError:
        return ''


def _most_bytes(scope: Scope) -> int:
    return MAX_IMPORT if scope['path'].startswith(_IMPORT) else MAX_BODY


def _limited(scope: Scope, receive: Receive) -> Receive:
    """Refuse a body that turns out to be larger than any may be."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get('body', b''))
        if received > _most_bytes(scope):
            raise HTTPException(413, f'has more than {_most_bytes(scope)} bytes')
        return message

    return limited if scope['type'] == 'http' else receive
