"""Routes whose libraries take seconds to import: loaded while the page is already there, or on the first request."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

#: Seconds after the start, in which the first page is shown.
_DELAY_SEC = 2.0


class LateParts:
    """ASGI application that is made when it is needed, and soon after the start at the latest.

    Args:
        make: Makes it; called once, in a thread.
        prepare: Called in a thread when it is there: what its first requests need.
    """

    def __init__(self, make: Callable[[], ASGIApp], prepare: Callable[[], object] = lambda: None) -> None:
        self._make, self._prepare, self._lock = make, prepare, asyncio.Lock()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._ready())(scope, receive, send)

    async def _ready(self) -> ASGIApp:
        async with self._lock:
            if self._app is None:
                self._app = await run_in_threadpool(self._make)
            return self._app

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Load it in the background while the server runs."""

        async def load() -> None:
            await asyncio.sleep(_DELAY_SEC)
            await self._ready()
            await run_in_threadpool(self._prepare)

        loading = asyncio.create_task(load())
        yield
        loading.cancel()
