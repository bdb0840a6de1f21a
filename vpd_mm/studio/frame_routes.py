"""Routes of the images of frames."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from .frame_images import FrameImages
from .workspace import Workspace

#: Seconds for which a browser keeps what has the tag of the video in its address.
KEEP_SEC = 31_536_000


def routes(workspace: Workspace) -> APIRouter:
    """``/videos/{video}/frames/{frame}``; see :class:`vpd_mm.studio.frame_images.FrameImages`."""
    images = FrameImages(workspace.corpus.fps)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(images.close)

    router = APIRouter(lifespan=lifespan)

    @router.get('/videos/{video}/frames/{frame}')
    async def frame(
        request: Request,
        video: str,
        frame: int,
        height: Annotated[int | None, Query(ge=16, le=4320)] = None,
        v: str = '',
    ) -> Response:
        """JPEG of a frame, at least ``height`` px high where the video is; with ``v``, its tag, browsers keep it."""
        row = workspace.video(video)
        opened = images.open(row) if images.is_open(row) else await run_in_threadpool(images.open, row)
        etag = f'"{opened.tag}-{frame}-{height or 0}"'
        headers = {
            'X-Frame': str(frame),
            'X-Seconds': f'{float(workspace.times(row).seconds(frame)):.6f}',
            'ETag': etag,
            'Cache-Control': f'private, max-age={KEEP_SEC}, immutable' if v == opened.tag else 'private, no-cache',
        }
        if request.headers.get('If-None-Match') == etag:
            return Response(status_code=304, headers=headers)
        image = asyncio.wrap_future(images.request(row, opened, frame, height))
        gone: asyncio.Future[None] = asyncio.ensure_future(
            _disconnected(request)
        )  # a viewer that moved on no longer waits
        tasks: list[asyncio.Future] = [image, gone]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not image.done():
                return Response(status_code=499)
            return Response(image.result(), media_type='image/jpeg', headers=headers)
        finally:
            image.cancel()
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    return router


async def _disconnected(request: Request) -> None:
    while (await request.receive())['type'] != 'http.disconnect':
        pass
