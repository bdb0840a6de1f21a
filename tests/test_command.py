"""``vpd-mm TOOL``: list of the tools, names in the help of a tool, suggestions for mistyped names."""

import subprocess
import sys
from pathlib import Path

import pytest

from vpd_mm.__main__ import main, usage
from vpd_mm.engine.tool_list import GROUPS, first_line, list_tools, name_started_tools, tool_words
from vpd_mm.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _entry_point(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['/usr/bin/vpd-mm'])


def run(*arguments: str, cwd: Path, command: tuple[str, ...] = ('-m', 'vpd_mm')) -> subprocess.CompletedProcess:
    environment = {'PATH': '/usr/bin:/bin', 'PYTHONPATH': ':'.join([str(ROOT), *sys.path]), 'COLUMNS': '100'}
    words = [sys.executable, *command, *arguments]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)


def test_every_tool_has_a_group_and_a_first_line():
    tools = list_tools()
    assert {path.stem for path in (ROOT / 'tools').glob('*.py')} == tools.keys()
    assert all(len(first_line(path)) > 20 for path in tools.values())


def test_help_lists_the_tools_by_group_in_the_order_of_the_data_flow(monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    lines = usage('vpd-mm').splitlines()
    assert lines[0] == 'usage: vpd-mm TOOL ...'
    assert [line[:-1] for line in lines if line.removesuffix(':') in GROUPS] == list(GROUPS)
    assert [line.split()[0] for line in lines if line.startswith('  ') and line[2] != ' '] == list(list_tools())
    assert '  train              Train a model of vpd_mm or mmaction2 from a config' in lines
    assert 'vpd-mm completion bash' in lines[-2]


@pytest.mark.parametrize('argument', ['--help', '--version'])
def test_help_and_version_import_neither_torch_nor_mmengine(argument, tmp_path):
    code = (
        'import sys; from vpd_mm.__main__ import main\n'
        f'main([{argument!r}])\n'
        "assert not {'torch', 'mmengine', 'numpy', 'rich'} & sys.modules.keys()"
    )
    assert run(cwd=tmp_path, command=('-c', code)).stderr == ''


@pytest.mark.parametrize(('typed', 'meant'), [('prepar', 'prepare'), ('extract-features', 'extract_features')])
def test_mistyped_tool_gets_a_suggestion(typed, meant):
    with pytest.raises(UserError, match=f"no tool '{typed}'; did you mean '{meant}'. vpd-mm --help lists the tools"):
        main([typed])


def test_unknown_tool_gets_no_suggestion():
    with pytest.raises(UserError, match="no tool 'qqq'; vpd-mm --help"):
        main(['qqq'])


def test_help_and_errors_of_a_tool_name_the_command(tmp_path):
    text = run('export', '--help', cwd=tmp_path).stdout
    assert text.startswith('usage: python -m vpd_mm export [-h]')
    assert 'python -m vpd_mm export RUN_FOLDER --out student.onnx' in text
    assert 'tools/' not in text
    failed = run('export', cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith('error: python -m vpd_mm export: the following arguments are required')


def test_a_script_keeps_the_names_of_scripts(monkeypatch):
    text = 'python tools/export.py A; tools/prepare.py B'
    monkeypatch.setattr(sys, 'argv', ['tools/export.py'])
    assert name_started_tools(text) == text
    monkeypatch.setattr(sys, 'argv', ['/a folder/export.py'])
    assert name_started_tools(text) == text
    monkeypatch.setattr(sys, 'argv', ['vpd-mm export'])
    assert name_started_tools(text) == 'vpd-mm export A; vpd-mm prepare B'


@pytest.mark.parametrize(
    ('started', 'words'),
    [
        ('vpd-mm quickstart', ['vpd-mm', 'prepare']),
        ('python -m vpd_mm quickstart', ['python', '-m', 'vpd_mm', 'prepare']),
        ('tools/quickstart.py', ['python', 'tools/prepare.py']),
        (f'{ROOT}/tools/quickstart.py', ['python', f'{ROOT}/tools/prepare.py']),
        ('/usr/bin/pytest', ['python', 'tools/prepare.py']),
    ],
)
def test_a_tool_is_named_as_the_running_one_was_started(monkeypatch, started, words):
    monkeypatch.setattr(sys, 'argv', [started])
    assert tool_words('prepare') == words
