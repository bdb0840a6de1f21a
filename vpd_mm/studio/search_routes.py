"""Routes of the search by example (:mod:`vpd_mm.studio.search`)."""

from typing import Any

from fastapi import APIRouter, Body

from ..errors import UserError
from .rejections import Rejections
from .search import SearchEngine, timed_search
from .segments import Segment, segment_of_corpus
from .workspace import Workspace


def routes(workspace: Workspace) -> APIRouter:
    """Make the routes below ``/api``."""
    router, engine, rejections = APIRouter(), SearchEngine(workspace), Rejections(workspace)

    @router.post('/search')
    def search(body: Any = Body()) -> Any:  # noqa: B008
        """The ``limit`` segments that are nearest to ``{video, start_frame, end_frame, limit}``."""
        limit = body.get('limit', 20) if isinstance(body, dict) else 20
        if type(limit) is not int:
            raise UserError(f'limit must be a whole number, found {str(limit)[:100]!r}')
        return timed_search(engine, segment_of_corpus(workspace, body, 'query'), limit)

    @router.post('/search/reject')
    def reject(body: Any = Body()) -> Any:  # noqa: B008
        """Leave ``match`` out of the searches for ``query`` from now on."""
        return {'rejections': rejections.add(*_pair(body, workspace))}

    @router.delete('/search/reject')
    def take_back(body: Any = Body()) -> Any:  # noqa: B008
        """Take a rejection back."""
        return {'rejections': rejections.remove(*_pair(body, workspace))}

    return router


def _pair(body: Any, workspace: Workspace) -> tuple[Segment, Segment]:
    if not isinstance(body, dict) or not {'query', 'match'} <= body.keys():
        raise UserError('the body must be a JSON object with query and match')
    return segment_of_corpus(workspace, body['query'], 'query'), segment_of_corpus(workspace, body['match'], 'match')
