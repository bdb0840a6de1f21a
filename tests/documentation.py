"""Code blocks, commands and links of the documentation."""

import argparse
import os
import re
import runpy
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: In the order in which their commands run: the corpus that one page makes is used on the next.
ORDER = [
    *('README.md', 'docs/get_started.md', 'docs/your_own_videos.md', 'docs/studio.md', 'docs/corpus_format.md'),
    *('docs/datasets.md', 'docs/train.md', 'docs/evaluate.md', 'docs/inference.md', 'docs/label_formats.md'),
    'docs/clusters.md',
]
_FILES = [*ROOT.glob('*.md'), *(path for path in (ROOT / 'docs').rglob('*.md') if '_build' not in path.parts)]
_FILES += [*(ROOT / 'configs').rglob('*.md'), *(ROOT / 'vpd_mm').rglob('*.md')]
PAGES = [*ORDER, *sorted({str(path.relative_to(ROOT)) for path in _FILES} - set(ORDER))]
#: bash: runs; sh: is parsed; python: runs; the others hold no code.
LANGUAGES = {'bash', 'sh', 'python', 'text', 'json', 'bibtex', '{toctree}', '{eval-rst}'}
#: Commands of other programs that pages show.
PROGRAMS = {'.', 'cd', 'git', 'docker', 'pre-commit', 'cp', 'mkdir'}
_ROOMS = 'configs|tools|tests|docs|requirements|benchmarks|vpd_mm'
_NAMED_FILE = re.compile(rf'(?:^|[:=\s])((?:{_ROOMS})/[\w./+-]+\.(?:py|sh|md|yml|txt|pth|npz))(?=$|[:\s),])')
#: Prints each command of a block instead of running it: NUL after each word, a line break after each command.
_RECORDER = """
command_not_found_handle() { printf '%s\\0' "$@" >&3; printf '\\n\\0' >&3; }
.() { command_not_found_handle . "$@"; }
cd() { command_not_found_handle cd "$@"; }
basename() { /usr/bin/basename "$@"; }
mkdir() { /bin/mkdir "$@"; command_not_found_handle mkdir "$@"; }
PATH=/nonexistent
"""


@dataclass(frozen=True)
class Block:
    """A fenced code block: page, line of the fence, language, text."""

    page: str
    line: int
    language: str
    text: str


class Parsed(Exception):
    """A tool has parsed its arguments."""


def read_page(page: str) -> str:
    return (ROOT / page).read_text(encoding='utf-8')


def blocks(page: str) -> Iterator[Block]:
    """Fenced blocks of a page, in order."""
    lines, start, fence, language = read_page(page).splitlines(), None, '', ''
    for number, line in enumerate(lines, 1):
        mark = re.match(r'\s*(```+|:::+)(.*)$', line)
        if start is None and mark:
            start, fence, language = number, mark[1], mark[2].split()[0] if mark[2].split() else ''
        elif start is not None and line.strip() == fence:
            yield Block(page, start, language, '\n'.join(lines[start : number - 1]) + '\n')
            start = None
    assert start is None, f'{page}:{start}: code block without an end'


def block_commands(text: str, folder: Path) -> list[list[str]]:
    """Words of each command of a shell block, as bash expands them; nothing runs."""
    out = folder / 'commands'
    done = subprocess.run(
        ['/bin/bash', '-c', f'exec 3>{out}\n{_RECORDER}\n{text}'],
        cwd=folder,
        env={**os.environ, 'HOME': str(folder)},
        capture_output=True,
        text=True,
    )
    assert not done.stderr, done.stderr
    commands: list[list[str]] = [[]]
    for word in out.read_text(encoding='utf-8').split('\0')[:-1]:
        if word == '\n':
            commands.append([])
        else:
            commands[-1].append(word)
    return commands[:-1]


def parse_command(words: list[str]) -> None:
    """Check a command: the tool's own parser accepts it, and the files of the project that it names exist."""
    missing = [name for word in words for name in _NAMED_FILE.findall(word) if not (ROOT / name).exists()]
    assert not missing, f'{" ".join(words)}: no such file: {missing}'
    for name in re.findall(r'(?:^|:)work_dirs/([^/*]+)/', ' '.join(words)):
        assert any(name.startswith(stem) for stem in config_names()), f'work_dirs/{name}: no config of this name'
    program, *arguments = words
    scripts = [i for i, word in enumerate(words) if re.fullmatch(r'tools/\w+\.py', word)]
    if program == 'uv':
        program, *arguments = (words := arguments)
        if program in ('venv', 'run'):
            return
    if scripts:
        parse_tool(words[scripts[0]], words[scripts[0] + 1 :])
    elif program == 'python' and arguments[:2] == ['-m', 'vpd_mm']:
        parse_tool(f'tools/{arguments[2]}.py', arguments[3:])
    elif program == 'vpd-mm':
        if arguments[0] != 'completion' and '--help' not in arguments and arguments[0] != 'TOOL':
            parse_tool(f'tools/{arguments[0]}.py', arguments[1:])
    elif program == 'make':
        targets = re.findall(r'^([\w-]+):', read_page('Makefile'), re.MULTILINE)
        assert {word for word in arguments if '=' not in word} <= set(targets), words
    elif program == 'pip':
        files = [ROOT / 'pyproject.toml', *(ROOT / 'requirements').glob('*.txt')]
        pins = ''.join(path.read_text(encoding='utf-8') for path in files)
        assert all(word in pins for word in arguments if '==' in word), words
        assert all((ROOT / word).is_file() for word in arguments if word.endswith('.txt')), words
    elif program == 'bash':
        assert (ROOT / arguments[0]).is_file(), words
    else:
        modules = (['python', '-m', 'pytest'], ['python3', '-m', 'venv'])
        assert program in PROGRAMS or words[:3] in modules, f'unknown command: {words}'


def parse_tool(tool: str, arguments: list[str]) -> None:
    """Let a tool parse arguments, and stop it there."""
    parse_args = argparse.ArgumentParser.parse_args

    def parse(self, *args, **kwargs):
        raise Parsed(parse_args(self, *args, **kwargs))

    main = runpy.run_path(str(ROOT / tool), run_name='parsed')['main']
    argparse.ArgumentParser.parse_args = parse
    try:
        main(arguments)
    except Parsed:
        return
    finally:
        argparse.ArgumentParser.parse_args = parse_args
    raise AssertionError(f'{tool} {" ".join(arguments)}: parses nothing')


def config_names() -> set[str]:
    return {path.stem for path in (ROOT / 'configs').rglob('*.py')}


def named_files(page: str) -> list[str]:
    """Files of the project that a page names in backticks."""
    prose = re.sub(r'^\s*(```+).*?^\s*\1$', '', read_page(page), flags=re.DOTALL | re.MULTILINE)
    return [name for code in re.findall(r'`([^`\n]+)`', prose) for name in _NAMED_FILE.findall(code)]


def links(page: str) -> list[str]:
    """Targets of the links and images of a page, without those to other sites."""
    prose = re.sub(r'^\s*(```+).*?^\s*\1$', '', read_page(page), flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r'`[^`\n]*`', '', prose)
    return [target for target in re.findall(r'\]\(([^)\s]+)\)', prose) if '://' not in target]


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub and MyST make them."""
    headings = re.findall(r'^#+ (.*)$', path.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-') for heading in headings}
