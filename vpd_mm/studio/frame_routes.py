"""Routes of the images of videos: frames, thumbnails, clips, the file itself."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from ..files import open_video
from .clips import Clips
from .frame_images import FrameImages
from .workspace import Workspace

#: Seconds for which a browser keeps what has the tag of the video in its address.
KEEP_SEC = 31_536_000


def routes(workspace: Workspace) -> APIRouter:
    """``/videos/{video}/frames/{frame}``, ``thumbnail``, ``clip`` and ``file``."""
    images = FrameImages(workspace.corpus.fps)
    clips = Clips(workspace, images)

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
        gone: asyncio.Future[None] = asyncio.ensure_future(_disconnected(request))  # a viewer that moved on
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

    @router.get('/videos/{video}/thumbnail')
    def thumbnail(request: Request, video: str, v: str = '') -> Response:
        """JPEG of the athlete, or of a frame without crops."""
        row = workspace.video(video)
        return _small(clips.thumbnail(row), 'image/jpeg', v == images.tag(row))

    @router.get('/videos/{video}/clip')
    def clip(
        video: str, start: int, end: int, height: Annotated[int | None, Query(ge=16, le=720)] = None, v: str = ''
    ) -> Response:
        """Looping WebP of frames ``start`` to ``end`` (exclusive) of the athlete, or of the video without crops."""
        row = workspace.video(video)
        return _small(clips.clip(row, start, end, height), 'image/webp', v == images.tag(row))

    @router.get('/videos/{video}/file')
    def file(video: str) -> FileResponse:
        """The video file, of which browsers may read parts (Range); for previews, as they number frames otherwise."""
        path = workspace.video(video).existing_path()
        open_video(path).close()  # nothing but a video is sent
        kind = mimetypes.guess_type(path.name)[0] or ''
        return FileResponse(path, media_type=kind if kind.startswith('video/') else 'video/mp4')

    return router


def _small(data: bytes, media_type: str, keep: bool) -> Response:
    cache = f'private, max-age={KEEP_SEC if keep else 60}'
    return Response(data, media_type=media_type, headers={'Cache-Control': cache})


async def _disconnected(request: Request) -> None:
    while (await request.receive())['type'] != 'http.disconnect':
        pass
