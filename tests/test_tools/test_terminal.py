"""Tools on files whose names hold control characters, markup and bytes that are no text."""

import importlib
import os

import pytest
from media import make_video

from vpd_mm.engine.cli import run_tool

EVIL = os.fsdecode(b'a\x1b[2J[red]\n\xff')
COMMANDS = {
    'calibrate_teacher': ['{}.py', '{}.pth', '--data', '{}'],
    'compare': ['{}.py'],
    'detect': ['{}.py'],
    'export': ['{}.py', '{}.pth'],
    'extract_features': ['joints', '--corpus', '{}'],
    'fewshot': ['{}.py', '--work-dir', '{}'],
    'import_dataset': ['penn-action', '{}', '--out', '{}c'],
    'infer': ['{}', '--student', '{}.py:{}.pth', '--boxes', 'full'],
    'pack_checkpoint': ['{}.pth', '{}out.pth'],
    'prepare': ['{}.mp4', '--out', '{}c', '--boxes', 'full', '--poses', 'none'],
    'retrieve': ['--corpus', '{}', '--features', '{}'],
    'test': ['{}.py', '{}.pth', '--corpus', '{}'],
    'train': ['{}.py', '--corpus', '{}'],
}


def run(tool, arguments):
    main = importlib.import_module(tool).main
    with pytest.raises(SystemExit) as stop:
        run_tool(main, [str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.parametrize('exists', [False, True])
@pytest.mark.parametrize('tool', COMMANDS)
def test_names_of_files_do_not_control_the_terminal(tool, exists, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    if exists:
        (tmp_path / EVIL).mkdir()
        for suffix in ('.py', '.pth', '.mp4'):
            (tmp_path / f'{EVIL}{suffix}').write_text(f'no = ({EVIL}', errors='surrogateescape')
    assert run(tool, [argument.replace('{}', EVIL) for argument in COMMANDS[tool]]) == 1
    out, err = capfd.readouterr()
    assert err.startswith('error: ')
    assert all(c.isprintable() or c == '\n' for c in out + err)
    assert r'a\x1b[2J[red]' in err or 'onnx is not installed' in err


def test_markup_in_names_of_videos_is_shown(tmp_path, capfd):
    for name in ('[red]x', '[b]y'):
        make_video(tmp_path / 'videos' / f'{name}.mp4', 4)
    assert run('prepare', [tmp_path / 'videos', '--out', tmp_path / 'c', '--boxes', 'full', '--poses', 'none']) == 0
    text = capfd.readouterr().out
    assert text.count('[red]x') == text.count('[b]y') == 2
    assert run('prepare', ['inspect', tmp_path / 'c']) == 0
    assert '[red]x' in capfd.readouterr().out
