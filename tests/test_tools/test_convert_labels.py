"""tools/convert_labels.py: files, folders and archives, both ways; what is printed."""

import zipfile
from pathlib import Path

import pytest
from interchange_corpus import LABELS, content, without_labels

from tools import convert_labels
from vpd_mm.errors import UserError

SAMPLES = Path(__file__).resolve().parents[1] / 'test_interchange' / 'samples'


def run(capsys, *arguments) -> list[str]:
    convert_labels.main([str(argument) for argument in arguments])
    return capsys.readouterr().out.splitlines()


def test_one_file_a_folder_or_an_archive(full, tmp_path, capsys):
    one = tmp_path / 'labels.eaf'
    assert run(capsys, full.root, '--to', 'elan', '--out', one, '--videos', 'pal') == [str(one)]
    with pytest.raises(UserError, match=r'labels.eaf: ELAN has one video a file, these are 6; pass --videos, a folder'):
        run(capsys, full.root, '--to', 'elan', '--out', one)
    written = run(capsys, full.root, '--to', 'elan', '--out', tmp_path / 'eaf')
    assert sorted(Path(path).name for path in written) == sorted(path.name for path in (tmp_path / 'eaf').iterdir())
    assert len(written) == 6
    run(capsys, full.root, '--to', 'elan', '--out', tmp_path / 'all.zip')
    with zipfile.ZipFile(tmp_path / 'all.zip') as archive:
        assert len(archive.namelist()) == 6
    corpus = without_labels(full, tmp_path / 'c')
    count = 7 * len(LABELS)
    line = f'{count} added, 0 unchanged, 0 in conflict, 0 skipped'
    assert run(capsys, corpus.root, '--from', 'elan', *written) == [line]
    assert content(corpus) == content(full)
    line = f'0 added, {count} unchanged, 0 in conflict, 0 skipped'
    assert run(capsys, corpus.root, '--from', 'elan', tmp_path / 'all.zip') == [line]


@pytest.mark.parametrize('name', convert_labels.FORMATS)
def test_our_files_may_be_replaced_and_those_of_others_not(full, tmp_path, capsys, name):
    form = convert_labels.FORMATS[name]
    path = tmp_path / f'labels{form.suffix}'
    for _ in range(2):
        run(capsys, full.root, '--to', name, '--out', path, '--videos', 'pal')
    path.write_text('mine')
    with pytest.raises(UserError, match='exists and was not written by this tool'):
        run(capsys, full.root, '--to', name, '--out', path, '--videos', 'pal')
    run(capsys, full.root, '--to', name, '--out', path, '--videos', 'pal', '--overwrite')


def test_the_report_names_what_was_not_added(full, tmp_path, capsys):
    corpus = without_labels(full, tmp_path / 'c')
    lines = run(capsys, corpus.root, '--from', 'boris', SAMPLES / 'boris_current.csv')
    assert lines == [
        '2 added, 0 unchanged, 0 in conflict, 1 skipped',
        "skipped: line 6: video 'D:/2025/match.mp4' shows anna, ben; name the athlete, found 'carl'",
    ]
    path = tmp_path / 'pal.xml'
    path.write_text(
        '<file><ALL_INSTANCES>'
        + ''.join(f'<instance><start>{i}</start><end>{i}.5</end><code>run {i}</code></instance>' for i in range(22))
        + '</ALL_INSTANCES></file>'
    )
    lines = run(capsys, corpus.root, '--from', 'sportscode', path)
    assert (len(lines), lines[-1]) == (22, 'skipped: 2 more')
    lines = run(capsys, corpus.root, '--from', 'sportscode', path, '--new-classes', '--video', 'ntsc')
    assert lines[0] == '21 added, 0 unchanged, 0 in conflict, 1 skipped'  # the video ends before 21 s
    assert lines[1].startswith('new classes: run 0, run 1, ')


def test_clips_and_errors(full, tmp_path, capsys):
    with pytest.raises(UserError, match=r'/videos/pal.mp4: no such file; if it was moved'):
        run(capsys, full.root, '--to', 'clips', '--out', tmp_path / 'clips', '--videos', 'pal')
    with pytest.raises(UserError, match='--from elan: name the files to read'):
        run(capsys, full.root, '--from', 'elan')
    with pytest.raises(UserError, match="no format 'xls'; there are csv, elan"):
        run(capsys, full.root, '--from', 'xls', 'a.xls')
    with pytest.raises(UserError, match=r'nothing.eaf: no such file'):
        run(capsys, full.root, '--from', 'elan', tmp_path / 'nothing.eaf')
    for arguments, problem in {
        '--to elan': '--to needs --out',
        '--to xls --out a': "invalid choice: 'xls'",
        '': 'one of the arguments --to --from is required',
        '--to elan --out a --new-classes': '--new-classes is for --from',
        '--from elan a.eaf --out b': '--out is for --to',
    }.items():
        with pytest.raises(UserError, match=problem):
            run(capsys, full.root, *arguments.split())
