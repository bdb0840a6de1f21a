"""The browser application: look at videos, label actions, search by example, train, review."""

from .access import Access
from .app import create_app
from .workspace import Workspace

__all__ = ['Access', 'Workspace', 'create_app']
