"""Few-shot grids, comparisons and ablations: one specification, plan, run, store and table writer."""

from .jobs import run_missing
from .plan import Plan, draw_few_shot, few_shot_list, fit_ks, plan_runs
from .predictions import confusion_of, predictions_of, share_of
from .run import execute
from .spec import DEFAULTS, Method, Spec, few_shot_spec, read_spec
from .store import RunStore, add_to_table, write_table
from .tables import summarize

__all__ = [
    'DEFAULTS',
    'Method',
    'Plan',
    'RunStore',
    'Spec',
    'add_to_table',
    'confusion_of',
    'draw_few_shot',
    'execute',
    'few_shot_list',
    'few_shot_spec',
    'fit_ks',
    'plan_runs',
    'predictions_of',
    'read_spec',
    'run_missing',
    'share_of',
    'summarize',
    'write_table',
]
