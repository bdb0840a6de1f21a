"""Errors of the inferencer name the file or option."""

import numpy as np
import pytest
import torch
from inference_files import RECOGNIZER, SCORER, STUDENT, save_model
from media import FRAMES, cut_file, make_video, write_boxes

from vpd_mm.athlete import VideoReader
from vpd_mm.errors import UserError
from vpd_mm.infer.vpd_inferencer import VPDInferencer
from vpd_mm.synthetic.checkpoints import packed_source


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('models')
    save_model(folder, 'student', STUDENT.format(dims=26))
    save_model(folder, 'five', STUDENT.format(dims=5))
    save_model(folder, 'recognizer', RECOGNIZER)
    save_model(folder, 'scorer', SCORER)
    make_video(folder / 'jump.mp4')
    (folder / 'text.pth').write_text('no checkpoint')
    return folder


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'weights': 'five.pth'}, r'five\.pth: does not fit .*student\.py'),
        ({'weights': 'none.pth'}, r'none\.pth: no such file'),
        ({'weights': 'text.pth'}, r'text\.pth'),
        ({'weights': 'student.onnx'}, r'student\.onnx: no such file|not installed'),
        ({'model': 'recognizer.py', 'weights': 'recognizer.pth'}, 'SequenceRecognizer, expected a PoseDistiller'),
        ({'model': 'none.py'}, r'none\.py: no such file'),
        ({'boxes': 'nowhere'}, "boxes 'nowhere': must be full, mediapipe, mmdet:"),
        ({'flow': 'magic'}, 'flow method must be one of'),
        ({'batch_size': 0}, 'batch size must be'),
        ({'recognizer': 'scorer'}, 'its model is FrameScorer, expected a SequenceRecognizer'),
        ({'scorer': 'recognizer'}, 'its model is SequenceRecognizer, expected a FrameScorer'),
        ({'recognizer': 'one'}, "recognizer 'one': no such file or folder"),
        (
            {'model': 'five.py', 'weights': 'five.pth', 'recognizer': 'recognizer'},
            'takes d=52, this student gives d=10',
        ),
        ({'model': 'five.py', 'weights': 'five.pth', 'scorer': 'scorer'}, 'takes d=26, this student gives d=5'),
        ({'gallery': 'corpus'}, r'must be CORPUS:FEATURES\[:SPLIT\]'),
        ({'gallery': 'nowhere:vpd'}, 'nowhere'),
    ],
)
def test_constructor_errors(folder, options, message):
    for part in ('recognizer', 'scorer'):
        if options.get(part) in ('recognizer', 'scorer'):
            options = {**options, part: f'{folder / options[part]}.py:{folder / options[part]}.pth'}
    model, weights = (options.get(k, d) for k, d in (('model', 'student.py'), ('weights', 'student.pth')))
    rest = {k: v for k, v in options.items() if k not in ('model', 'weights')}
    with pytest.raises(UserError, match=message):
        VPDInferencer(str(folder / model), folder / weights, **{'boxes': 'full', **rest})


def test_inputs(folder, tmp_path, monkeypatch):
    inferencer = VPDInferencer(folder / 'student.py', folder / 'student.pth', boxes='full')
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    jump = folder / 'jump.mp4'
    (tmp_path / 'notes.mp4').write_text('no video')
    cut = cut_file(make_video(tmp_path / 'cut.mp4', 40))
    wrong = np.zeros((FRAMES, 5))
    huge = np.tile(np.float32([0, 0, 90000, 90000]), (FRAMES, 1))
    none = np.full((FRAMES, 4), np.nan)
    for inputs, options, message in (
        (tmp_path / 'gone.mp4', {}, r'gone\.mp4: no such file'),
        (tmp_path / 'notes.mp4', {}, r'notes\.mp4: no readable video'),
        (cut, {}, r'cut\.mp4'),
        (jump, {'show': True}, 'show: no display'),
        (jump, {'bboxes': wrong}, r'bboxes must be an AthleteTrack or \(T, 4\)'),
        (jump, {'bboxes': huge}, 'bboxes: box of frame 0 of jump.mp4 is 90000 px'),
        (jump, {'bboxes': none}, r'jump\.mp4: no person found in 12 frames with boxes given'),
        (jump, {'bboxes': none, 'online': True}, r'jump\.mp4: no person found in 12 frames'),
        ([jump, jump], {}, "two inputs are named 'jump'"),
        ([jump], {'bboxes': [wrong, wrong]}, 'bboxes: 2 for 1 inputs'),
        (99, {}, 'camera 99: cannot be opened'),
    ):
        with pytest.raises(UserError, match=message):
            inferencer(inputs, vis_out_dir=tmp_path / 'videos', **options)
    assert not list((tmp_path / 'videos').glob('*'))  # no incomplete video
    with pytest.raises(ValueError, match='unknown argument'):
        inferencer(jump, colour='red')
    with pytest.raises(UserError, match='stream takes one input'):
        next(inferencer.stream([jump, tmp_path / 'x.mp4']))


def test_foreign_files_are_not_replaced(folder, tmp_path):
    inferencer = VPDInferencer(folder / 'student.py', folder / 'student.pth', boxes='full')
    jump, frames = make_video(tmp_path / 'jump.mp4'), np.zeros((3, 48, 64, 3), np.uint8)
    (tmp_path / 'link.mp4').symlink_to(jump)
    before = jump.read_bytes()
    for inputs in (jump, tmp_path / 'link.mp4', tmp_path):
        with pytest.raises(UserError, match=r'mp4: is an input of this command'):
            inferencer(inputs, vis_out_dir=tmp_path)
    with pytest.raises(UserError, match=r'jump\.mp4: is an input'):
        next(inferencer.stream(str(jump), vis_out_dir=str(tmp_path)))
    make_video(tmp_path / 'array0.mp4')
    with pytest.raises(UserError, match=r'array0\.mp4: exists and was not written by this tool'):
        inferencer(frames, vis_out_dir=tmp_path)
    inferencer(jump, pred_out_dir=tmp_path)  # writes no video
    with pytest.raises(UserError, match=r'jump\.mp4: exists and was not'):
        inferencer(make_video(tmp_path / 'avi' / 'jump.avi'), vis_out_dir=tmp_path)
    assert jump.read_bytes() == before
    for number, name in enumerate(('jump.json', 'tracks/jump.npz', 'features/jump.npz')):
        path = tmp_path / str(number) / name
        path.parent.mkdir(parents=True)
        path.write_text('{"name": "jump"}')
        with pytest.raises(UserError, match=rf'{name}: exists and was not written by this tool'):
            inferencer(jump, pred_out_dir=tmp_path / str(number))
        assert [p for p in (tmp_path / str(number)).rglob('*') if p.is_file()] == [path]
        assert path.read_text() == '{"name": "jump"}'


def test_own_results_are_replaced(folder, tmp_path):
    inferencer = VPDInferencer(folder / 'student.py', folder / 'student.pth', boxes='full')
    for inputs in (folder / 'jump.mp4', np.zeros((3, 48, 64, 3), np.uint8)):
        for _ in range(2):
            inferencer(inputs, vis_out_dir=tmp_path, pred_out_dir=tmp_path)
    assert VideoReader(tmp_path / 'jump.mp4').num_frames == FRAMES


def test_results_of_named_athletes_are_checked(folder, tmp_path):
    """Their names are known only after tracking."""
    boxes = write_boxes(tmp_path / 'boxes', 'front__jump')
    inferencer = VPDInferencer(folder / 'student.py', folder / 'student.pth', boxes=str(boxes))
    (tmp_path / 'front__jump.json').write_text('[]')
    with pytest.raises(UserError, match=r'front__jump\.json: exists and was not written'):
        inferencer(folder / 'jump.mp4', pred_out_dir=tmp_path)
    assert (tmp_path / 'front__jump.json').read_text() == '[]'
    assert not (tmp_path / 'tracks').exists()


@pytest.mark.parametrize('overwrite', [False, True])
def test_an_athlete_never_replaces_the_results_of_a_video(folder, tmp_path, overwrite):
    for name in ('take1', 'anna__take1'):
        make_video(tmp_path / f'{name}.mp4')
    boxes = write_boxes(tmp_path / 'boxes', 'anna__take1')
    spec = folder / 'student.py', folder / 'student.pth'
    inferencer = VPDInferencer(*spec, boxes=str(boxes), overwrite=overwrite)
    for first, second in (('anna__take1', 'take1'), ('take1', 'anna__take1')):
        out = tmp_path / first
        inferencer(tmp_path / f'{first}.mp4', pred_out_dir=out)
        before = (out / 'anna__take1.json').read_text()
        with pytest.raises(UserError, match=r'anna__take1\.json: holds the results of another video'):
            inferencer(tmp_path / f'{second}.mp4', pred_out_dir=out)
        inferencer(tmp_path / f'{first}.mp4', pred_out_dir=out)
        assert (out / 'anna__take1.json').read_text() == before


def test_video_without_an_athlete(folder):
    frames = np.full((8, 96, 96, 3), 120, np.uint8)
    inferencer = VPDInferencer(folder / 'student.py', folder / 'student.pth', boxes=packed_source('detector'))
    with pytest.raises(UserError, match=r'array0: no person found in 8 frames with boxes mmdet:'):
        inferencer(frames)
    with pytest.raises(UserError, match=r'stream0: no person found in 8 frames with boxes mmdet:'):
        inferencer(iter(frames))
    assert [answer.box for answer in inferencer.stream(iter(frames), batch_size=4)] == [None] * 8


def test_box_files_need_video_files(folder, tmp_path):
    inferencer = VPDInferencer(folder / 'student.py', folder / 'student.pth', boxes=str(tmp_path))
    with pytest.raises(UserError, match='boxes of files go with video files'):
        inferencer(iter(np.zeros((3, 48, 64, 3), np.uint8)))


def test_student_that_gives_nan(folder, tmp_path):
    state = torch.load(folder / 'student.pth', weights_only=True)
    state['state_dict']['student.fc.bias'][:] = torch.nan
    torch.save(state, tmp_path / 'nan.pth')
    with pytest.raises(UserError, match='the student gives NaN'):
        VPDInferencer(folder / 'student.py', tmp_path / 'nan.pth', boxes='full')(folder / 'jump.mp4')


def test_default_detector_of_the_model_zoo(folder, monkeypatch):
    """A failed download names the other choices; given boxes need no detector."""

    def load_model(package, name, *_):
        raise UserError(f'{package} model {name}: cannot download https://x/rtmdet.pth (no route)')

    monkeypatch.setattr('vpd_mm.engine.model_zoo.load_model', load_model)
    inferencer = VPDInferencer(folder / 'student.py', folder / 'student.pth')
    frames, boxes = np.zeros((3, 48, 64, 3), np.uint8), np.tile(np.float32([8, 8, 40, 40]), (3, 1))
    for call in (
        inferencer.load_detector,
        lambda: inferencer(frames),
        lambda: inferencer(iter(frames)),
        lambda: next(inferencer.stream(iter(frames))),
    ):
        with pytest.raises(UserError, match=r'mmdet model rtmdet-m: cannot download .*pass other boxes .*, full, or'):
            call()
    assert len(inferencer(frames, bboxes=boxes)['predictions'][0]['feats']) == 3
    other = VPDInferencer(folder / 'student.py', folder / 'student.pth', boxes='mmdet:rtmdet-s')
    with pytest.raises(UserError, match=r'boxes mmdet:rtmdet-s: .* \(no route\)$'):
        other.load_detector()
