"""Routes of labels, classes and the history of both (:mod:`vpd_mm.studio.labels`)."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body

from ..errors import UserError
from .labels import LabelStore
from .workspace import Workspace

Json = Annotated[Any, Body()]
#: Changes of one entry that the history shows.
MAX_SHOWN = 100


def routes(workspace: Workspace) -> APIRouter:
    """Make the routes below ``/api``."""
    router, store = APIRouter(), LabelStore(workspace.corpus)

    @router.get('/labels')
    def labels(video: str = '') -> Any:
        """Labels of a video, or of all; ``problems`` are lines of files that prevent changes, ``notices`` others."""
        snapshot, shown = store.labels(video)
        return {
            'version': snapshot.version,
            'classes': snapshot.state.classes,
            'labels': [asdict(label) for label in shown],
            'problems': snapshot.problems,
            'notices': store.notices(),
        }

    @router.post('/labels')
    def change(body: Json) -> Any:
        """Make ``{"changes": [{"before", "after"}]}``, all or none; 409 with ``current`` where a label has changed."""
        version, made = store.change(_fields(body, 'changes')['changes'])
        return {'version': version, 'labels': [label and asdict(label) for label in made]}

    @router.get('/labels/history')
    def history(limit: int = 100) -> Any:
        """The last changes, the newest first, of each at most ``MAX_SHOWN``; ``entry`` is what restore takes."""
        if not 1 <= limit <= 10_000:
            raise UserError(f'limit must be 1 to 10000, found {limit}')
        shown = []
        for number, entry in store.history(limit):
            content = entry.json()
            num, content['changes'] = len(content['changes']), content['changes'][:MAX_SHOWN]
            shown.append({'entry': number, **content, 'num_changes': num})
        return shown

    @router.post('/labels/restore')
    def restore(body: Json) -> Any:
        """Make the labels what they were after ``{"entry": number}`` of the history."""
        entry = _fields(body, 'entry')['entry']
        if type(entry) is not int:
            raise UserError(f'entry must be a whole number, found {str(entry)[:100]!r}')
        version, num_changes = store.restore(entry)
        return {'version': version, 'num_changes': num_changes}

    @router.post('/labels/divide')
    def divide(body: Annotated[Any, Body(default_factory=dict)]) -> Any:
        """Divide all labels into train, val and test; ``{"seed"}`` of 0 by default."""
        seed = _fields(body, optional='seed').get('seed', 0)
        if type(seed) is not int or not 0 <= seed < 2**32:
            raise UserError(f'seed must be a whole number from 0, found {str(seed)[:100]!r}')
        version, splits, divided = store.divide(seed)
        return {'version': version, 'splits': splits, 'divided': divided}

    @router.post('/classes')
    def classes(body: Json) -> Any:
        """Add class ``{"name"}``, or rename it with ``{"name", "rename"}``; its labels keep their number."""
        content = _fields(body, 'name', optional='rename')
        rename = content.get('rename')
        version, names = (
            store.add_class(content['name']) if rename is None else store.rename_class(content['name'], rename)
        )
        return {'version': version, 'classes': names}

    return router


def _fields(body: Any, *needed: str, optional: str = '') -> dict[str, Any]:
    """Check that a body is an object with such fields; raises UserError."""
    names = [*needed, *filter(None, [optional])]
    if not isinstance(body, dict) or not set(needed) <= body.keys() <= set(names):
        raise UserError(f'the body must be a JSON object with {", ".join(names)}; found {str(body)[:100]!r}')
    return body
