"""From videos to a judged result: the tools one after the other, with a verdict after each and one report."""

from .chain import QuickstartOptions, run_quickstart
from .steps import Result, Steps

__all__ = ['QuickstartOptions', 'Result', 'Steps', 'run_quickstart']
