"""The report of a run of steps: what is done, the verdicts, and the next thing to do."""

from collections.abc import Sequence
from pathlib import Path

from ..visualize.report import Block, Code, Section, Table, Text, write_report
from .steps import RESUME, Record



def write_page(path: Path, title: str, lead: str, records: Sequence[Record], after: Sequence[Block] = ()) -> None:
    """Write the report of the steps so far; ``after`` follows what to do next."""
    table = Table(('step', 'verdict', 'time'), [(r.title, _word(r), _time(r.seconds)) for r in records])
    summary: list[Block] = [*_status(records), table, *_next(records), *after]
    sections = [Section('Summary', summary), *(Section(record.title, _blocks(record)) for record in records)]
    write_report(path, title, lead, sections)


def _word(record: Record) -> str:
    if record.state != 'done' or record.verdict is None:
        return record.state
    return record.verdict.line().partition(':')[0]


def _time(seconds: float) -> str:
    return f'{seconds:.0f} s' if seconds < 120 else f'{seconds / 60:.0f} min'


def _status(records: Sequence[Record]) -> list[Block]:
    last = records[-1]
    if last.state == 'running':
        text = f'Now: {last.title}. If no command is running, it was stopped; {RESUME}.'
        return [Text(text)]
    if last.error:
        return [Text(f'Stopped at: {last.title}. {last.error}', False)]
    warnings = [r for r in records if r.verdict and r.verdict.good is False]
    text = f'{sum(r.state == "done" for r in records)} steps are done, {len(warnings)} with a warning.'
    return [Text(text, not warnings or None)]


def _next(records: Sequence[Record]) -> list[Block]:
    """The first thing to do about the first warning."""
    warnings = (r for r in records if r.verdict and r.verdict.good is False and r.verdict.hint)
    return [Text(f'Next: {r.verdict.hint} ({r.title})') for r in [next(warnings, None)] if r and r.verdict]


def _blocks(record: Record) -> list[Block]:
    blocks: list[Block] = [Text(record.purpose)]
    blocks += [Code(record.command)] if record.command else []
    if verdict := record.verdict:
        blocks += [Text(verdict.line(), verdict.good), *verdict.blocks]
    elif record.error:
        blocks.append(Text(record.error, False))
    return [*blocks, *record.blocks]
