"""Plain English in identifiers, docstrings, comments and documentation (design page, "Vocabulary").

String literals are not checked: file names, csv headers, npz keys and options keep their spelling on disk.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from documentation import PAGES

ROOT = Path(__file__).resolve().parents[1]

#: Word of the old dialect with its inflected forms -> the term to use.
_REPLACEMENTS = {
    'film films filmed filming': 'video',
    'picture pictures pictured': 'image',
    'sure unsure surely': 'confident, low-confidence',
    'rival rivals': 'baseline',
    'cure cures cured curing': 'hint, fix',
    'fault faults faulty': 'error, problem',
    'complaint complaints complain complains': 'error, problem',
    'luck lucky luckily': 'chance, random',
    'told': 'reported',
    'nobody nobodys': 'no one, none',
    'watcher watchers': 'teacher, detector',
    'trial trials': 'subset',
    'lone': 'single',
    'claim claims claimed claiming': 'record, declare',
}
BANNED_WORDS = {word: term for words, term in _REPLACEMENTS.items() for word in words.split()}
BANNED_PHRASES = {'goes on': 'continues, resumes', 'there before': 'existing', 'as seen': 'original view'}
#: Identifiers that are banned as a whole, not as a part (``ModuleNotFoundError`` is fine).
BANNED_NAMES = {'found': 'result, matches, candidates', 'Moved': 'on_progress(done, total)'}
#: Names of other libraries that contain a banned word, with the reason.
FOREIGN_NAMES: dict[str, str] = {}
BAD_OPENINGS = ('What', 'Where', 'How', 'Whether', 'Which')


def _rooms() -> dict[str, list[Path]]:
    package = ROOT / 'vpd_mm'
    rooms = {f'vpd_mm/{path.name}': sorted(path.rglob('*.py')) for path in sorted(package.iterdir()) if path.is_dir()}
    rooms['vpd_mm'] = sorted(package.glob('*.py'))
    for name in ('tools', 'benchmarks', 'configs'):
        rooms[name] = sorted((ROOT / name).rglob('*.py'))
    return {name: files for name, files in rooms.items() if files}


ROOMS = _rooms()


def words_of(identifier: str) -> list[str]:
    """Lower-case words of an identifier, split at underscores, digits and capitals."""
    return [word.lower() for word in re.findall(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+', identifier)]


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, identifier) of names, attributes, arguments, keywords, functions, classes and imports."""
    for node in ast.walk(tree):
        names: list[str | None] = [getattr(node, field, None) for field in ('id', 'attr', 'arg', 'name', 'asname')]
        names += getattr(node, 'names', []) if isinstance(node, (ast.Global, ast.Nonlocal)) else []
        for name in names:
            if isinstance(name, str):
                yield getattr(node, 'lineno', 0), name


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of the docstrings of the module, its classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


def comments(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of the comments."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def name_problems(identifier: str) -> list[str]:
    """Why an identifier is not allowed; empty where it is."""
    if identifier in FOREIGN_NAMES:
        return []
    banned = [(word, BANNED_WORDS[word]) for word in words_of(identifier) if word in BANNED_WORDS]
    if identifier in BANNED_NAMES:
        banned.append((identifier, BANNED_NAMES[identifier]))
    return [f'identifier {identifier}: {word!r}, use {term}' for word, term in banned]


def prose_problems(text: str) -> list[str]:
    """Banned words and phrases of a text; what stands in backticks, links and code blocks is not read."""
    text = re.sub(r'```.*?```', ' ', text, flags=re.DOTALL)
    text = re.sub(r'``[^`]*``|`[^`]*`|\]\([^)]*\)|https?://\S+|\S*/\S*', ' ', text)
    plain = ' '.join(re.findall(r"[A-Za-z]+(?:'s)?", text)).lower().replace("'s", '')
    banned = [(word, BANNED_WORDS[word]) for word in plain.split() if word in BANNED_WORDS]
    banned += [(phrase, term) for phrase, term in BANNED_PHRASES.items() if f' {phrase} ' in f' {plain} ']
    return [f'{word!r}, use {term}' for word, term in banned]


def file_problems(path: Path) -> list[str]:
    """All violations of a Python file, each with its line."""
    source = path.read_text(encoding='utf-8')
    tree = ast.parse(source)
    result = [(0, f'file name: {problem}') for problem in name_problems(path.stem)]
    for line, name in identifiers(tree):
        result += [(line, problem) for problem in name_problems(name)]
    for line, text in docstrings(tree):
        result += [(line, problem) for problem in prose_problems(text)]
        if text.split()[0].rstrip(',:') in BAD_OPENINGS:
            result.append((line, f'docstring opens with {text.split()[0]!r}; say what the object is or does'))
    for line, text in comments(source):
        result += [(line, problem) for problem in prose_problems(text)]
    return [f'{path}:{line}: {problem}' for line, problem in sorted(set(result))]


@pytest.mark.parametrize('room', ROOMS)
def test_code_uses_the_vocabulary(room):
    problems = [problem for path in ROOMS[room] for problem in file_problems(path)]
    assert not problems, '\n' + '\n'.join(problems)


@pytest.mark.parametrize('page', PAGES)
def test_documentation_uses_the_vocabulary(page):
    problems = prose_problems((ROOT / page).read_text(encoding='utf-8'))
    assert not problems, f'{page}: {problems}'


@pytest.mark.parametrize(
    ('source', 'problem'),
    [
        ('film_path = 1', "'film'"),
        ('class FilmPlan: pass', "'film'"),
        ('def f(rivals): pass', "'rivals'"),
        ('f(on_film=1)', "'film'"),
        ('x.cures', "'cures'"),
        ('found = 1', "'found'"),
        ('f"{found}"', "'found'"),
        ('from a import Moved', "'Moved'"),
        ('import a as luck', "'luck'"),
        ('"""A run that goes\non."""', "'goes on'"),
        ('"""Whether it runs."""', 'opens with'),
        ('class A:\n    """Read.\n\n    Nobody\'s frame."""', "'nobody'"),
        ('# the cure', "'cure'"),
    ],
)
def test_violations_are_reported(tmp_path, source, problem):
    path = tmp_path / 'module.py'
    path.write_text(source)
    assert any(problem in line for line in file_problems(path))


def test_similar_words_foreign_strings_and_code_are_allowed(tmp_path):
    path = tmp_path / 'module.py'
    path.write_text(
        '"""Measure the default command; ``trial`` is a column on disk."""\n'
        'default = measure = secure = alone = ModuleNotFoundError\n'
        "headers = ('trial', 'film')  # a person is found\n"
    )
    assert file_problems(path) == []
    assert prose_problems('See `film.py`:\n```\npython film.py\n```\n[a page](docs/film.md)') == []
    assert prose_problems('One trial.') == ["'trial', use subset"]
