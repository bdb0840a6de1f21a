"""The whole quickstart on small videos with boxes and poses, with a short training, and again after a stop."""

import re
import shlex
from pathlib import Path

import pytest
import quickstart as tool
from media import make_inputs

from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError
from vpd_mm.quickstart import chain, steps

ROOT = Path(__file__).resolve().parents[2]
STUDENT = """
_base_ = ['{root}/configs/distill/resnet18_2d-vpd_40e_real.py']
data = dict(holdout='video')
epoch = dict(num_samples=8)
train_dataloader = dict(sampler=epoch, batch_size=4, num_workers=0, persistent_workers=False, dataset=data)
val_dataloader = dict(dataset=data)
"""
RECOGNIZER = """
_base_ = ['{root}/configs/recognize/bigru_fast_features.py']
train_cfg = dict(max_iters=10, val_interval=10)
param_scheduler = []
default_hooks = dict(checkpoint=dict(interval=10))
"""
SCORER = """
_base_ = ['{root}/configs/detect/bigru_detector_classes.py']
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
"""
GIVEN = ['videos', '--boxes', 'boxes', '--poses', 'poses', '--epochs', '1', '--workers', '1', '--out', 'run']
STEPS = ['first', 'sheet', 'prepare', 'check', 'targets', 'student', 'features', 'labels']
STEPS += ['recognition', 'retrieval', 'detection']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Six videos of two classes with boxes and poses, a broken one, labels, and short trainings."""
    folder = tmp_path_factory.mktemp('quickstart')
    names = ['jump0', 'jump1', 'jump2', 'turn0', 'turn1', 'turn2']
    make_inputs(folder, names)
    lines = ['video,start_sec,end_sec,label', *(f'{name}.mp4,0.08,0.28,{name[:-1]}' for name in names)]
    (folder / 'videos' / 'broken.mp4').write_bytes(b'')
    lines.append('broken.mp4,,,jump')
    (folder / 'labels.csv').write_text('\n'.join(lines))
    for name, text in (('student', STUDENT), ('recognizer', RECOGNIZER), ('scorer', SCORER)):
        (folder / f'{name}.py').write_text(text.format(root=ROOT))
    return folder


@pytest.fixture
def quickstart(folder, monkeypatch):
    """``main`` of tools/quickstart.py in the folder, with the short trainings."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr('sys.argv', ['vpd-mm quickstart'])
    for name in ('student', 'recognizer', 'scorer'):
        monkeypatch.setattr(chain, name.upper(), str(folder / f'{name}.py'))
    return lambda *arguments: tool.main([*GIVEN, *arguments])


def test_every_step_is_shown_judged_and_reported_and_a_stopped_run_resumes(quickstart, folder, capfd, monkeypatch):
    call_tool = steps.call_tool

    def stop(words):
        if words[0] == 'train':
            raise KeyboardInterrupt
        return call_tool(words)

    monkeypatch.setattr(steps, 'call_tool', stop)
    with pytest.raises(KeyboardInterrupt):
        quickstart('--labels', 'labels.csv')
    page = folder / 'run' / 'report.html'
    assert 'Stopped at: Train the student.' in page.read_text()
    capfd.readouterr()
    monkeypatch.setattr(steps, 'call_tool', call_tool)
    assert quickstart('--labels', 'labels.csv') == 0
    shown = capfd.readouterr().out
    commands = [shlex.split(line.removeprefix('    $ ')) for line in shown.splitlines() if line.startswith('    $ ')]
    tools = ['prepare', 'prepare', 'prepare', 'prepare', 'extract_features', 'train', 'extract_features']
    assert [words[1] for words in commands] == [*tools, 'import_dataset', 'fewshot', 'retrieve', 'detect']
    assert 'first image: run/corpus/inspect/' in shown
    [command] = re.findall(r'next: (vpd-mm infer .*)', shown.partition('Recognise actions ...')[2].split('Retrieve')[0])
    student = commands[5][commands[5].index('--work-dir') + 1]
    assert command.endswith(f'--student {student} --recognizer run/recognition')
    text = page.read_text()
    assert command.partition(' --student')[2] in text
    assert re.search(r'Steps done: 11\.', text)
    for part in (
        '6 of 7 videos are prepared, 72 frames.',
        '72 of 72 tracked frames are confident',
        'that of a constant pose, the mean one, is',
        '72 frames have features: the teacher is confident in 72, the student adds 0.',
        '6 actions of 2 classes: 2 train, 2 val, 2 test; the table has no column split',
        'of 2 clips (95 % interval',
        'of 2 queries (95 % interval',
        'of 2 intervals in 2 test videos',
        'vpd-mm infer',
    ):
        assert part in text, part
    assert text.count('data:image') >= 4
    again = {path: path.stat().st_mtime_ns for path in folder.glob('run/**/*') if path.suffix in ('.npz', '.pth')}
    text = page.read_text()
    for options, field in ((('--poses', 'none'), 'poses'), (('--boxes', 'full'), 'boxes')):
        with pytest.raises(UserError, match=f"^run: was made with {{'{field}': .* pass another --out$"):
            quickstart(*options)
    assert page.read_text() == text
    quickstart()
    assert 'Recognise actions (of the last run)' in page.read_text()
    quickstart('--labels', 'labels.csv')
    assert 'of the last run' not in page.read_text()
    assert {path: path.stat().st_mtime_ns for path in again} == again


def test_labels_that_do_not_fit_are_refused_before_anything_is_made(quickstart, folder):
    (folder / 'wrong.csv').write_text('video,label\nswim,a\njump0,b\n')
    with pytest.raises(UserError, match=r"wrong\.csv:2: video 'swim'"):
        quickstart('--labels', 'wrong.csv', '--out', 'other')
    assert not (folder / 'other').exists()


def test_without_an_athlete_the_command_stops_and_the_report_says_why(quickstart, folder):
    (folder / 'none').mkdir(exist_ok=True)
    with pytest.raises(UserError, match=r'0 of 7 videos are prepared.*pass other --boxes'):
        quickstart('--boxes', 'none', '--out', 'stopped')
    assert 'pass other --boxes' in (folder / 'stopped' / 'report.html').read_text()
    assert Corpus.open(folder / 'stopped' / 'corpus').failures()
