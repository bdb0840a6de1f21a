"""Routes of the review queue (:mod:`vpd_mm.studio.review_queue`, :mod:`vpd_mm.studio.reviews`)."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Body

from ..errors import UserError
from .labels import LabelStore
from .review_queue import ORDERS, open_predictions, queue
from .reviews import DECISIONS, Reviews
from .segments import read_labels, segment_of_corpus
from .workspace import Workspace

MAX_LIMIT = 1000
#: Longest name of a class that was predicted, characters.
MAX_NAME = 1000


def routes(workspace: Workspace) -> APIRouter:
    """Make the routes below ``/api``."""
    router, reviews, labels = APIRouter(), Reviews(workspace), LabelStore(workspace.corpus)

    @router.get('/review')
    def review(order: str = 'informative', limit: int = 100) -> Any:
        """Predictions to decide, the most informative first."""
        if order not in ORDERS:
            raise UserError(f'order must be one of {", ".join(ORDERS)}, found {order[:100]!r}')
        if not 1 <= limit <= MAX_LIMIT:
            raise UserError(f'limit must be 1 to {MAX_LIMIT}, found {limit}')
        return queue(workspace, order, limit)

    @router.post('/review')
    def decide(body: Any = Body()) -> Any:  # noqa: B008
        """Decide ``{prediction, decision, label, seconds}``; accept and correct add a label, which is returned."""
        if not isinstance(body, dict) or not {'prediction', 'decision'} <= body.keys():
            raise UserError('the body must be a JSON object with prediction and decision')
        segment = segment_of_corpus(workspace, body['prediction'], 'prediction')
        predicted, decision, seconds = body['prediction'].get('label'), body['decision'], body.get('seconds', 0)
        if decision not in DECISIONS:
            raise UserError(f'decision must be one of {", ".join(DECISIONS)}, found {str(decision)[:100]!r}')
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float('inf'):
            raise UserError(f'seconds must be a number of 0 or more, found {str(seconds)[:100]!r}')
        if not isinstance(predicted, str) or not predicted.isprintable() or len(predicted) > MAX_NAME:
            raise UserError('prediction: needs a label, the class that was predicted')
        added = None
        if decision != 'reject':
            given = body.get('label') if decision == 'correct' else body.get('label') or predicted
            if not isinstance(given, str):
                raise UserError('label: a correction needs the right class')
            after = {**vars(segment), 'label': given}
            added = labels.change([{'before': None, 'after': after}], 'review')[1][0]
        label = '-' if added is None else added.label
        row = reviews.add(segment, predicted, decision, label, float(seconds))
        return {'review': asdict(row), 'label': added and asdict(added), 'left': len(open_predictions(workspace))}

    @router.delete('/review')
    def take_back(body: Any = Body()) -> Any:  # noqa: B008
        """Take a decision back: ``review_id`` and ``label`` of its answer; refused where the label has changed."""
        if not isinstance(body, dict) or type(body.get('review_id')) is not int:
            raise UserError('the body must be a JSON object with review_id, a whole number, and label')
        if body.get('label') is not None:
            labels.change([{'before': body['label'], 'after': None}], 'review')
        reviews.remove(body['review_id'])
        return {'left': len(open_predictions(workspace))}

    @router.get('/review/curve')
    def curve() -> Any:
        """Accuracy on left-out labels at each training, against minutes of review, and what was decided."""
        rows = reviews.read()
        points = [{**asdict(training), 'minutes': round(training.seconds / 60, 3)} for training in reviews.trainings()]
        return {
            'points': points,
            'minutes': round(reviews.seconds() / 60, 3),
            'decisions': {name: sum(row.decision == name for row in rows) for name in DECISIONS},
            'learned': dict(Counter(row.label for row in rows if row.decision != 'reject')),
            'num_labels': len(read_labels(workspace.corpus)[1]),
        }

    return router
