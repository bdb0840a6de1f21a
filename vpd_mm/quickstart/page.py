"""The report of a run of steps: what is done, the verdicts, and the next thing to do."""

from collections.abc import Sequence
from pathlib import Path

from ..visualize.report import Block, Section, Text, write_report
from .steps import RESUME, Record


def write_page(path: Path, title: str, lead: str, records: Sequence[Record], after: Sequence[Section] = ()) -> None:
    """Write the report of the steps so far, a section each, those of the last run marked; ``after``: more sections."""
    kept = ' (of the last run)'
    sections = [Section(r.title + kept * (r.state == 'kept'), _blocks(r), r.verdict, r.command) for r in records]
    write_report(path, title, f'{lead} {_state(records)}', [*sections, *after])


def _state(records: Sequence[Record]) -> str:
    last = [record for record in records if record.state != 'kept'][-1]
    done = sum(record.state == 'done' for record in records)
    if last.state == 'running':
        return f'Now running: {last.title}; reload this page. If no command is running, it was stopped, and {RESUME}.'
    if last.state == 'stopped':
        return f'Stopped at: {last.title}.'
    return f'Steps done: {done}.'


def _blocks(record: Record) -> list[Block]:
    took = f' ({record.seconds:.0f} s)' if record.state != 'skipped' else ' (skipped)'
    return [Text(record.purpose + took), *record.blocks]
