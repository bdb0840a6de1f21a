"""The web application: routes of all parts, errors as one line of JSON, the static page."""

from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from ..errors import UserError, one_line
from . import frame_routes, label_routes, library_routes, overlay_routes, review_routes
from .access import Access, Guard
from .labels import LabelConflict
from .late_parts import LateParts
from .workspace import UnknownVideo, Workspace

STATIC = Path(__file__).parent / 'static'
#: Parts of the application; each makes its routes, all below ``/api``.
PARTS: list[Callable[[Workspace], APIRouter]] = [
    frame_routes.routes,
    label_routes.routes,
    library_routes.routes,
    overlay_routes.routes,
    review_routes.routes,
]
#: Modules of further parts, whose libraries take seconds to import.
LATE_PARTS = ('format_routes', 'search_routes', 'training_routes')


def create_app(workspace: Workspace, access: Access | None = None) -> FastAPI:
    """Make the application of one corpus.

    A UserError becomes status 400 (404 for an unknown video, 409 with ``current`` for a label that has changed since)
    and ``{"error": line}``, as does every other refusal.

    Args:
        workspace: The corpus.
        access: Who may use it; None: this machine.
    """
    late = LateParts(lambda: _late_app(workspace), _prepare)
    app = _new_app(late.lifespan)
    app.add_middleware(Guard, access=access or Access())
    for routes in PARTS:
        app.include_router(routes(workspace), prefix='/api')
    app.mount('/api', late)
    app.mount('/', StaticFiles(directory=STATIC, html=True), name='static')
    return app


def _late_app(workspace: Workspace) -> FastAPI:
    app = _new_app()
    for name in LATE_PARTS:
        app.include_router(_module(name).routes(workspace))
    return app


def _prepare() -> None:
    _module('search').compile_search()
    _module('training').prepare_process()


def _module(name: str) -> Any:
    return import_module(f'.{name}', __package__)


def _new_app(lifespan: Callable | None = None) -> FastAPI:
    """Make an application without routes, whose errors are one line of JSON."""
    app = FastAPI(title='vpd_mm studio', docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> JSONResponse:
        return _answer(404 if isinstance(error, UnknownVideo) else 400, str(error))

    @app.exception_handler(LabelConflict)
    async def conflict(request: Request, error: LabelConflict) -> JSONResponse:
        current = error.current and asdict(error.current)
        return JSONResponse({'error': str(error), 'current': current}, status_code=409)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, f'{request.url.path}: {error.detail}')

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = '.'.join(str(part) for part in first['loc'][1:]) or 'body'
        return _answer(400, f'{request.url.path}: {where}: {first["msg"]}')

    @app.exception_handler(OSError)
    async def disk_error(request: Request, error: OSError) -> JSONResponse:
        return _answer(400, f'{error.filename or request.url.path}: {error.strerror or error}')

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return _answer(500, f'{request.url.path}: {type(error).__name__}; the window of the studio shows where')

    return app


def _answer(status: int, line: str) -> JSONResponse:
    return JSONResponse({'error': one_line(line)}, status_code=status)
