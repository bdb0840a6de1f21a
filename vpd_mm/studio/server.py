"""Run the application until Ctrl-C, which ends it within a second whatever is open."""

import logging
import os
import socket
import threading
from contextlib import suppress

import uvicorn

from .access import Access
from .app import create_app
from .workspace import Workspace

#: Seconds that a request in a thread, which cannot be interrupted, has after the end.
_LAST_SEC = 0.3
#: Seconds after which an idle connection is closed: more than browsers keep one (300 s) and than the server can stall.
#: A request that reaches a server that is closing its connection is lost (ECONNRESET).
KEEP_ALIVE_SEC = 600


class _Server(uvicorn.Server):
    """A server that leaves the process at the end although a thread may be at work; files are written atomically."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger('uvicorn.error').disabled = True  # of connections that are cut off
        await super().shutdown(sockets)
        timer = threading.Timer(_LAST_SEC, os._exit, (0,))
        timer.daemon = True
        timer.start()


def serve(workspace: Workspace, access: Access, listening: socket.socket) -> None:
    """Answer requests on a socket until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        create_app(workspace, access),
        log_level='warning',
        lifespan='on',
        server_header=False,
        timeout_graceful_shutdown=0,
        timeout_keep_alive=KEEP_ALIVE_SEC,
        ws='websockets-sansio',
        ws_max_size=1 << 16,
    )
    with suppress(KeyboardInterrupt):
        _Server(config).run(sockets=[listening])
