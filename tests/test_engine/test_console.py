"""Text on the terminal: control characters and markup of names are shown, not obeyed."""

import io
import logging
import os
import sys

import pytest
from rich.table import Table

from vpd_mm.engine import cli
from vpd_mm.engine.console import PlainConsole, without_native_lines
from vpd_mm.engine.escaped_output import escaped_output
from vpd_mm.engine.progress import ProgressBars

EVIL = 'a\x1b[2J[red]b[/red]\x9b1m[/]\udcff\r'
SHOWN = r'a\x1b[2J[red]b[/red]\x9b1m[/]\udcff\r'


def test_prints_logs_and_warnings_are_escaped(capsys):
    with escaped_output():
        print(EVIL)
        print('two', 'lines', sep='\n', file=sys.stderr)
        handler = logging.StreamHandler()
        handler.emit(logging.LogRecord('x', logging.INFO, '', 0, EVIL, (), None))
        assert not sys.stdout.isatty()
        assert sys.stdout.encoding
    assert capsys.readouterr() == (SHOWN + '\n', 'two\nlines\n' + SHOWN + '\n')
    print('\x1b')
    assert capsys.readouterr().out == '\x1b\n'


def test_tables_and_lines_have_no_markup(capsys):
    table = Table('video', EVIL, title=EVIL)
    table.add_row(EVIL, EVIL)
    with escaped_output():
        console = PlainConsole(width=200, force_terminal=True)
        console.print(table)
        console.print(EVIL, style='red')
    text = capsys.readouterr().out
    assert text.count(SHOWN) == 5
    assert '\x1b[31m' + SHOWN in text  # styles of the caller pass
    assert '\x1b[2J' not in text
    assert '\x9b' not in text


def test_a_long_name_is_printed_whole():
    console = PlainConsole(io.StringIO(), width=40)
    table = Table('video', 'frames')
    table.add_row('run' * 40, '7')
    console.print(table)
    assert console.file.getvalue().count('run') >= 38
    assert '\u2026' not in console.file.getvalue()


@pytest.mark.parametrize(('width', 'words'), [(60, ['top1_mean', 'subsets']), (30, ['4', '61', '.25'])])
def test_a_head_breaks_at_spaces_and_no_column_is_lost(width, words):
    console = PlainConsole(io.StringIO(), width=width)
    table = Table('features', 'k', 'top1_mean', 'mean of subsets')
    table.add_row('features/of_a_run_with_a_long_name', '4', '61.25', '1')
    console.print(table)
    text = console.file.getvalue()
    assert all(word in text for word in words)
    assert all(line.endswith(('┓', '┃', '┩', '│', '┘')) for line in text.splitlines())


def test_descriptions_of_bars_are_escaped():
    console = PlainConsole(io.StringIO(), force_terminal=True, width=120)
    with ProgressBars(console) as bars:
        bars.add(EVIL)(1, 3)
        bars.refresh()
        text = console.file.getvalue()
    assert SHOWN in text
    assert EVIL[:5] not in text


@pytest.mark.parametrize('options', [[], ['--debug']])
def test_errors_of_a_tool_are_escaped(capsys, options):
    def main(argv):
        raise OSError(2, EVIL, EVIL)

    with pytest.raises(SystemExit):
        cli.run_tool(main, options)
    text = capsys.readouterr().err
    assert SHOWN[:-2] in text.replace(r'\\', '\\')
    assert not any(c in text for c in '\x1b\x9b\r')
    assert sys.stderr.write('x')  # the streams are as before


def test_an_error_names_its_input():
    assert cli.error_line(ValueError('x'), 'jump') == 'error: jump: ValueError: x (--debug shows where)'


def test_an_error_of_a_connection_names_no_file():
    shown = cli.error_line(ConnectionResetError(104, 'Connection reset by peer'))
    assert shown == 'error: ConnectionResetError: [Errno 104] Connection reset by peer (--debug shows where)'


def test_known_lines_of_native_code_are_left_out_and_others_kept(capfd):
    with without_native_lines('Created delegate', 'W0000'):
        os.write(2, b'INFO: Created delegate for CPU.\nE0000 out of memory\n')
    os.write(2, b'after\n')
    assert capfd.readouterr().err == 'E0000 out of memory\nafter\n'
