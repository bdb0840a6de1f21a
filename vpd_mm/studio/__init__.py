"""The browser application: look at videos, label actions, search by example, train, review."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .access import Access
    from .app import create_app
    from .workspace import Workspace

__all__ = ['Access', 'Workspace', 'create_app']


def __getattr__(name: str) -> Any:
    """Import the web server with the first public name: tools that read and write labels need none."""
    modules = {'Access': 'access', 'Workspace': 'workspace', 'create_app': 'app'}
    if name in modules:
        return getattr(import_module(f'.{modules[name]}', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
