"""The browser application: look at videos, label actions, search by example, train, review."""

from .app import create_app
from .workspace import Workspace

__all__ = ['Workspace', 'create_app']
