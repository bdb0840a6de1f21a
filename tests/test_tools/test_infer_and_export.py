"""tools/infer.py and tools/export.py on the command line."""

import json
import shutil
from pathlib import Path

import cv2
import pytest
from export import main as export
from infer import main as infer
from inference_files import STUDENT, save_model
from media import FRAMES, frame_picture, make_video

from vpd_mm.athlete import VideoReader
from vpd_mm.engine.written_configs import record_configs
from vpd_mm.errors import UserError
from vpd_mm.infer.vpd_inferencer import VPDInferencer, only_student
from vpd_mm.structures import FeatureSequence

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


STUDENT_ARGUMENTS = ['--student', 'student.py:student.pth', '--boxes', 'full']


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('one', 'two'):
        make_video(tmp_path / 'videos' / f'{name}.mp4')
    save_model(tmp_path, 'student', STUDENT.format(dims=26))
    return tmp_path


def test_videos_and_features_of_a_folder(folder, capsys):
    status = infer(['videos', *STUDENT_ARGUMENTS, '--out', 'out'])
    assert status == 0
    text = capsys.readouterr().out
    assert f'one: {FRAMES} frames, athlete in {FRAMES} (100%), D = 26, offline' in text
    assert text.count('frames/s; video out/') == 2
    for name in ('one', 'two'):
        assert FeatureSequence.load(folder / 'out' / 'features' / f'{name}.npz').feats.shape == (FRAMES, 2, 26)
        assert VideoReader(folder / 'out' / f'{name}.mp4').num_frames == FRAMES
        assert json.loads((folder / 'out' / f'{name}.json').read_text())['frames_with_box'] == FRAMES


def test_a_second_run_skips_its_own_results(folder, capsys):
    (folder / 'images').mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / 'images' / f'{i}.png'), frame_picture(i))
    for inputs, out in (('videos', 'videos/out'), ('images', 'images')):
        for _ in range(2):
            assert infer([inputs, *STUDENT_ARGUMENTS, '--out', out]) == 0
            lines = capsys.readouterr().out.splitlines()
            videos = [line.split('; video ')[1] for line in lines if '; video ' in line]
            assert videos == [f'{out}/{name}.mp4' for name in (['one', 'two'] if inputs == 'videos' else [out])]
    assert json.loads((folder / 'images' / 'images.json').read_text())['num_frames'] == 3


def test_any_error_of_one_input_costs_that_input(folder, capsys, monkeypatch):
    forward = VPDInferencer.forward

    def fail(self, inputs, *args, **kwargs):
        if inputs.path.stem == 'one':
            raise RuntimeError('out of \x1b[2J memory')
        return forward(self, inputs, *args, **kwargs)

    monkeypatch.setattr(VPDInferencer, 'forward', fail)
    assert infer(['videos', *STUDENT_ARGUMENTS, '--out', 'out']) == 1
    assert r'error: one: RuntimeError: out of \x1b[2J memory' in capsys.readouterr().err
    assert {path.name for path in (folder / 'out').glob('*.*')} == {'two.mp4', 'two.json'}


def test_foreign_results_are_replaced_on_request_only(folder):
    (folder / 'out').mkdir()
    (folder / 'out' / 'one.json').write_text('{"name": "one"}')
    arguments = ['videos', *STUDENT_ARGUMENTS, '--out', 'out', '--no-video']
    with pytest.raises(UserError, match=r'one\.json: exists and was not written by this tool'):
        infer(arguments)
    assert infer([*arguments, '--overwrite']) == infer(arguments) == 0


def test_two_videos_of_the_same_name(folder, capsys):
    for camera in ('cam1', 'cam2'):
        make_video(folder / camera / 'run.mp4', 3)
    arguments = ['cam1/run.mp4', 'cam2/run.mp4', *STUDENT_ARGUMENTS, '--out', 'out']
    assert infer(arguments) == 1
    assert "error: cam2/run.mp4: two inputs are named 'run'" in capsys.readouterr().err
    assert json.loads((folder / 'out/run.json').read_text())['source'] == 'cam1/run.mp4'
    with pytest.raises(UserError, match=r'cam1/run\.mp4: is an input'):
        infer([arguments[0], *arguments[2:-1], 'cam1'])


def test_takes_the_only_student_and_never_one_by_its_time(folder, capsys):
    with pytest.raises(UserError, match='no student: none was trained in work_dirs or runs'):
        infer(['videos/one.mp4'])
    for name, text in (('new', STUDENT.format(dims=26)), ('old', STUDENT.format(dims=5))):
        work = folder / 'work_dirs' / name
        work.mkdir(parents=True)
        save_model(work, 'c', text)
        (work / 'last_checkpoint').write_text('/trained/elsewhere/c.pth')
    several = r'several students were trained here; pass one of them: --student work_dirs/new, work_dirs/old$'
    with pytest.raises(UserError, match=several):
        infer(['videos/one.mp4'])
    shutil.rmtree(folder / 'work_dirs' / 'old')
    asks = r'new/c\.py: is a program and was not written here .* pass work_dirs/new/c\.py:work_dirs/new/c\.pth'
    with pytest.raises(UserError, match=asks):
        infer(['videos/one.mp4'])
    record_configs(['work_dirs/new/c.py'])
    assert infer(['videos/one.mp4', '--boxes', 'full', '--out', 'out', '--no-video']) == 0
    text = capsys.readouterr().out
    assert 'student: work_dirs/new (the only one in' in text
    assert 'D = 26' in text
    assert not list((folder / 'out').glob('*.mp4'))
    (folder / 'runs').symlink_to('work_dirs')
    assert only_student() == 'runs/new'


def test_former_option_no_film(folder):
    arguments = ['videos/one.mp4', *STUDENT_ARGUMENTS, '--out', 'out']
    with pytest.warns(DeprecationWarning, match='deprecated since 0.2, removed in 0.3; use --no-video'):
        assert infer([*arguments, '--no-film']) == 0
    assert sorted(p.name for p in (folder / 'out').iterdir()) == ['features', 'one.json', 'tracks']


def test_one_broken_video_does_not_stop_the_others(folder, capsys):
    (folder / 'videos' / 'bad.mp4').write_text('no video')
    (folder / 'videos' / 'dangling.mp4').symlink_to('nowhere')
    arguments = ['videos', *STUDENT_ARGUMENTS, '--no-video', '--out', 'out']
    assert infer(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.count('error: ') == 2
    assert 'bad.mp4: no readable video' in captured.err
    assert 'dangling.mp4: no such file' in captured.err
    assert sorted(p.stem for p in (folder / 'out').glob('*.json')) == ['one', 'two']


def test_an_error_is_one_line(folder, run_python):
    env = {'DISPLAY': '', 'WAYLAND_DISPLAY': ''}
    arguments = ['videos/one.mp4', '--student', 'student.py:student.pth', '--show']
    done = run_python(TOOLS / 'infer.py', *arguments, cwd=folder, env=env)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith('error: show: no display')
    assert 'Traceback' not in done.stderr


def test_export_then_infer(folder, capsys):
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    assert not export(['student.py', 'student.pth'])
    text = capsys.readouterr().out
    assert 'student.onnx: student' in text
    assert 'student.decoder.onnx: decoder' in text
    assert text.count('onnxruntime and PyTorch differ by') == 2
    arguments = ['videos/one.mp4', '--student', 'student.onnx', '--boxes', 'full', '--out', 'out']
    assert infer(arguments) == 0
    assert VideoReader(folder / 'out' / 'one.mp4').num_frames == FRAMES


@pytest.mark.parametrize(('option', 'needed'), [('--threshold', '--scorer'), ('--top', '--gallery')])
def test_options_of_absent_parts_are_refused(option, needed):
    with pytest.raises(UserError, match=f'{option}: changes nothing without {needed}'):
        infer(['x.mp4', option, '9'])
