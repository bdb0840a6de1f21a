"""Few-shot grids, comparisons and ablations: one specification, plan, run, store and table writer."""

from .jobs import run_missing
from .plan import Plan, draw_few_shot, few_shot_list, plan_runs
from .run import execute
from .spec import DEFAULTS, Method, Spec, few_shot_spec, read_spec
from .store import RunStore, write_table
from .tables import summarize

__all__ = [
    'DEFAULTS',
    'Method',
    'Plan',
    'RunStore',
    'Spec',
    'draw_few_shot',
    'execute',
    'few_shot_list',
    'few_shot_spec',
    'plan_runs',
    'read_spec',
    'run_missing',
    'summarize',
    'write_table',
]
