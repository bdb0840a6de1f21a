"""Steps of a long command: each one is announced, timed, judged and kept for a report; a stopped command resumes."""

import json
import runpy
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import get_args

from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from ..engine.cli import error_line
from ..engine.console import PlainConsole
from ..engine.progress import OnProgress, progress_bar
from ..engine.tool_list import list_tools, tool_command, tool_words
from ..errors import UserError
from ..files import atomic_write, list_folder, read_json
from ..visualize.report import Block, Gallery, Image, Verdict

RESUME = 'the same command resumes here'


@dataclass(frozen=True)
class Result:
    """Verdict on a finished step, None where only the eye can judge, and what the report shows of it."""

    verdict: Verdict | None
    blocks: Sequence[Block] = ()


@dataclass
class Record:
    """A step that has begun: title, sentence, command line ('' = none), and how it ended.

    ``state`` is 'running', 'done', 'skipped', 'stopped', or 'kept' (done by an earlier run, and not yet again); the
    verdict of a stopped one is its error.
    """

    name: str
    title: str
    purpose: str
    command: str = ''
    state: str = 'running'
    verdict: Verdict | None = None
    blocks: list[Block] = field(default_factory=list)
    seconds: float = 0.0


class Steps:
    """Run steps, and add up their seconds, over all calls of the command, in ``seconds.json``.

    What the report shows of a step stays in ``steps.json`` until that step is done again.

    Args:
        root: Folder of the run.
        kind: Word for the run; ``<kind>.json`` records ``identity``, with which it was started.
        identity: Everything of which another value needs another folder.
        console: Where the steps are shown.
        on_change: Called with the records after each change, also where a step fails, those that are kept from an
            earlier run last: writes the report.

    Raises UserError: ``root`` records another identity, or is no folder of such a run.
    """

    def __init__(
        self,
        root: Path,
        kind: str,
        identity: dict,
        console: PlainConsole,
        on_change: Callable[[Sequence[Record]], None] = lambda records: None,
    ) -> None:
        path = root / f'{kind}.json'
        if root.is_file() or (root.is_dir() and list_folder(root) and not path.is_file()):
            raise UserError(f'{root}: is not empty and holds no run of {kind} (no {path.name}); pass another --out')
        recorded = identity | once(path, lambda: identity)  # a former version recorded less
        if others := [name for name in recorded if recorded[name] != identity.get(name)]:
            old, new = ({name: fields.get(name) for name in others} for fields in (recorded, identity))
            raise UserError(f'{root}: was made with {old}, not with {new}; delete it or pass another --out')
        self.path, self.console, self.write = root / 'seconds.json', console, on_change
        self.kept_path = root / 'steps.json'
        kept = read_json(self.kept_path, 'delete it') if self.kept_path.is_file() else []
        self.kept = {fields['name']: _record(fields) for fields in kept}
        self.seconds: dict[str, float] = once(self.path, dict)
        self.records: list[Record] = []

    @contextmanager
    def __call__(self, name: str, title: str, purpose: str) -> Iterator[OnProgress]:
        """Run a step that is no tool; ``purpose``: one sentence that says what it is for."""
        with self._run(Record(name, title, purpose)), progress_bar(title, console=self.console) as on_progress:
            yield on_progress

    def tool(self, name: str, title: str, purpose: str, command: Sequence[object], judge: Callable[[], Result]) -> None:
        """Run a tool, show its command line, and judge what it has written.

        Raises:
            UserError: the tool fails, or the verdict stops the command.
        """
        words = [str(word) for word in command]
        record = Record(name, title, purpose, tool_command(*words))
        with self._run(record):
            status, result = call_tool(words), judge()
            verdict = result.verdict
            if status and (verdict is None or verdict.level == 'ok'):
                verdict = Verdict('warn', verdict.text if verdict else title, 'see the errors that the command printed')
            record.verdict, record.blocks = verdict, [*record.blocks, *result.blocks]
            if verdict:
                text = f'{verdict.text} {verdict.hint}'.strip()
                if verdict.level == 'stop':
                    raise UserError(text)
                self.console.print(f'    {verdict.level}: {text}', soft_wrap=True)

    def on_change(self) -> None:
        """Write the report."""
        done = {record.name for record in self.records if record.state == 'done'}
        self.write([*self.records, *(record for name, record in self.kept.items() if name not in done)])

    def _keep(self, record: Record) -> None:
        """Keep a step that is done."""
        self.kept[record.name] = replace(record, state='kept')
        rows = [
            {**asdict(kept), 'blocks': [{'kind': block.kind, **asdict(block)} for block in kept.blocks]}
            for kept in self.kept.values()
        ]
        write_json(self.kept_path, rows)

    def show(self, *blocks: Block) -> None:
        """Add tables or images of the running step to the report."""
        self.records[-1].blocks += blocks
        self.on_change()

    def skip(self, name: str, title: str, reason: str) -> None:
        """Record a step that is not possible, or not needed."""
        self.console.print(f'{title}: skipped; {reason}', soft_wrap=True)
        self.records.append(Record(name, title, reason, state='skipped'))
        self.on_change()

    @contextmanager
    def _run(self, record: Record) -> Iterator[None]:
        start = time.monotonic()
        record.seconds = self.seconds.get(record.name, 0.0)
        self.records.append(record)
        self.on_change()
        self.console.print(f'{record.title} ...')
        self.console.print(f'    {record.purpose}', soft_wrap=True)
        if record.command:
            self.console.print(f'    $ {record.command}', soft_wrap=True)
        try:
            yield
            record.state = 'done'
        except Exception as e:
            record.state = 'stopped'
            no_option = '--overwrite' in str(e)  # of the tool, not of this command
            hint = 'this command has no --overwrite: pass another --out' if no_option else RESUME
            record.verdict = record.verdict or Verdict('stop', error_line(e), f'mend that; {hint}')
            if isinstance(e, UserError):
                raise UserError(f'{e} (step {record.name}; {hint})') from e
            raise
        except KeyboardInterrupt:
            record.state = 'stopped'
            record.verdict = Verdict('stop', 'interrupted', RESUME)
            raise
        finally:
            record.seconds += time.monotonic() - start
            self.seconds[record.name] = round(record.seconds, 1)
            write_json(self.path, self.seconds)
            if record.state == 'done':
                self._keep(record)
            self.on_change()
        self.console.print(f'{record.title}: {time.monotonic() - start:.0f} s')


def _record(fields: dict) -> Record:
    """Rebuild a record from its JSON."""
    kinds = {block.kind: block for block in get_args(Block)}
    blocks = []
    for values in fields['blocks']:
        kind = kinds[values.pop('kind')]
        if kind is Gallery:
            values['images'] = [Image(**image) for image in values['images']]
        blocks.append(kind(**values))
    verdict = fields['verdict'] and Verdict(**fields['verdict'])
    return Record(**{**fields, 'blocks': blocks, 'verdict': verdict})


def call_tool(words: Sequence[str]) -> int:
    """Run a tool with its arguments in this process, as if it had been started alone; returns its exit status.

    A process less is one that an end by force could leave behind.
    """
    tool, *arguments = words
    saved = sys.argv
    for shared in (MMLogger, MessageHub, DefaultScope, Visualizer):  # of an earlier tool
        shared._instance_dict.clear()
    started = tool_words(tool)
    try:
        sys.argv = [started[1] if started[1].endswith('.py') else ' '.join(started), *arguments]
        return runpy.run_path(str(list_tools()[tool]), run_name=tool)['main'](arguments) or 0
    finally:
        sys.argv = saved


def once(path: Path, compute: Callable[[], dict]) -> dict:
    """Read the JSON of ``path``; if there is none, compute and write it first."""
    if not path.is_file():
        write_json(path, compute())
    return read_json(path, 'delete it to compute it again')


def write_json(path: Path, content: dict | list) -> None:
    """Write JSON atomically."""
    with atomic_write(path, 'w') as f:
        json.dump(content, f, indent=1, default=str)
        f.write('\n')
