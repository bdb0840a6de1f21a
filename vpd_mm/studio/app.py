"""The web application: routes of all parts, errors as one line of JSON, the static page."""

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from ..errors import UserError
from . import format_routes, label_routes
from .workspace import Workspace

STATIC = Path(__file__).parent / 'static'
#: Parts of the application; each makes its routes, all below ``/api``.
PARTS: list[Callable[[Workspace], APIRouter]] = [label_routes.routes, format_routes.routes]


def create_app(workspace: Workspace) -> FastAPI:
    """Make the application of one corpus; a UserError becomes status 400 and ``{"error": line}``."""
    app = FastAPI(title='vpd_mm studio', docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(UserError)
    def user_error(request: Request, error: UserError) -> JSONResponse:
        return JSONResponse({'error': str(error)}, status_code=400)

    for routes in PARTS:
        app.include_router(routes(workspace), prefix='/api')
    app.mount('/', StaticFiles(directory=STATIC, html=True), name='static')
    return app
