"""Routes of training and predictions (:mod:`vpd_mm.studio.training`, :mod:`vpd_mm.studio.predictions`)."""

import asyncio
from typing import Any

from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse

from .overlay_routes import by_frame
from .predictions import PredictionStore
from .training import Trainer, TrainingRunsError
from .workspace import Workspace

#: Seconds between two looks at the state for a WebSocket.
POLL_SEC = 0.2


def routes(workspace: Workspace) -> APIRouter:
    """Make the routes below ``/api``."""
    router, trainer, store = APIRouter(), Trainer(workspace), PredictionStore(workspace)

    @router.get('/training')
    def state() -> Any:
        """The state of the training (:class:`vpd_mm.studio.training.State`)."""
        return trainer.state().to_json()

    @router.post('/training')
    def start() -> Any:
        """Start a training; 409 where one is running."""
        try:
            return trainer.start().to_json()
        except TrainingRunsError as e:
            return JSONResponse({'error': str(e)}, status_code=409)

    @router.delete('/training')
    def cancel() -> Any:
        """End the training; the last results stay."""
        return trainer.cancel().to_json()

    @router.websocket('/training/progress')
    async def progress(socket: WebSocket) -> None:
        """Send the state now and at every change."""
        await socket.accept()
        sent: dict[str, Any] | None = None

        async def send() -> None:
            nonlocal sent
            while True:
                content = (await asyncio.to_thread(trainer.state)).to_json()
                if content != sent:
                    await socket.send_json(content)
                    sent = content
                await asyncio.sleep(POLL_SEC)

        task = asyncio.create_task(send())
        try:
            while (await socket.receive())['type'] != 'websocket.disconnect':
                pass
        finally:
            task.cancel()

    @router.get('/predictions')
    def predictions(video: str = '') -> Any:
        """Predictions of a video, or of all, and whether labels or features have changed since they were made."""
        read = store.read()
        if video:
            workspace.video(video)
        predicted = read.of_video.get(video, []) if video else read.all()
        stale = store.is_stale()
        return {'made': read.made, 'stale': stale, 'predictions': [prediction.to_json() for prediction in predicted]}

    @router.get('/predictions/scores')
    def scores(video: str) -> Any:
        """Score of each frame of a video, 0..1 (:func:`by_frame`)."""
        row = workspace.video(video)
        frame_inds, values = store.frame_scores(row.video)
        return {'scores': by_frame(row, frame_inds, values) if len(values) else []}

    return router
