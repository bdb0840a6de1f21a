"""Routes of the corpus and its videos."""

from typing import Any

from fastapi import APIRouter

from .library import Library, describe_corpus
from .workspace import Workspace


def routes(workspace: Workspace) -> APIRouter:
    """``/corpus``, ``/videos`` and ``/videos/{video}``; see :mod:`vpd_mm.studio.library`."""
    router, library = APIRouter(), Library(workspace)

    @router.get('/corpus')
    def corpus() -> dict[str, Any]:
        return describe_corpus(workspace)

    @router.get('/videos')
    def videos() -> list[dict[str, Any]]:
        return library.rows()

    @router.get('/videos/{video}')
    def video(video: str) -> dict[str, Any]:
        return library.row(workspace.video(video))

    return router
