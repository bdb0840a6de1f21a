"""The whole demonstration on the synthetic sport: films in, results.json and report.html out."""

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from demo_old.demo_bench import Bench, default_jobs
from demo_old.demo_results import demo_results
from demo_old.demo_scales import scale_named
from demo_old.stage_runner import StageRunner, write_json
from vpd_mm.errors import UserError


@dataclass(frozen=True)
class DemoOutcome:
    """What a run left: the content of results.json, and where both files lie."""

    results: dict
    results_path: Path
    report_path: Path


def run_demo(
    out: str | os.PathLike | None = None,
    scale: str = 'small',
    seed: int = 0,
    jobs: int | None = None,
    device: str = 'auto',
    console: Console | None = None,
) -> DemoOutcome:
    """Run every stage that is not done yet, then write ``results.json`` and ``report.html``.

    Args:
        out: Folder; None = ``runs/demo`` for the scale small, else ``runs/demo-<scale>``.
        scale: tiny, small or full (``demo_scales``).
        seed: Of everything; 0 or more.
        jobs: Processes or threads side by side; None = a core each, at most 8.
        device: Of the networks.
        console: Where progress goes; None = nowhere.

    Raises:
        UserError: unknown scale, a number is off, or the folder holds something else.
    """
    sizes = scale_named(scale)
    if jobs is not None and jobs < 1:
        raise UserError(f'jobs must be 1 or more, found {jobs}')
    root = Path(out) if out is not None else Path('runs') / ('demo' if scale == 'small' else f'demo-{scale}')
    jobs = jobs or default_jobs()
    bench = Bench(root, sizes, seed, jobs, device)
    _ = bench.recipe  # refuses a seed that is off before anything is made
    runner = StageRunner(root, {'demo': 'synthetic', 'scale': scale, 'seed': seed}, console, jobs)
    from demo_old.demo_stages import demo_stages

    stages = demo_stages(bench)
    runner.run(stages)
    results = demo_results(runner.results, runner.seconds, scale, seed)
    results_path, report_path = root / 'results.json', root / 'report.html'
    write_json(results_path, results)
    from demo_old.demo_report import write_report

    write_report(report_path, bench, scale, results, runner.results)
    return DemoOutcome(results, results_path, report_path)
