"""Inference takes boxes, crops, flow and rate from the student's checkpoint; options override it in one line."""

import json

import numpy as np
import pytest
import torch
from export import main as export
from infer import main as infer
from inference_files import STUDENT, save_model
from media import FRAMES, make_video, write_boxes

import vpd_mm.infer.vpd_inferencer as module
from vpd_mm.athlete import VideoReader
from vpd_mm.engine.checkpoint_packer import pack_checkpoint
from vpd_mm.errors import UserError
from vpd_mm.files import read_json
from vpd_mm.infer.vpd_inferencer import VPDInferencer

RECIPE = {'boxes': 'full', 'size': 64, 'flow': 'farneback', 'subtract_median': True, 'fps': 12.5, 'teacher': 'joints'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('recipes')
    for name, recipe in (
        ('student', RECIPE),
        ('former', None),
        ('files', RECIPE | {'boxes': 'files', 'track': {'num_athletes': 2}}),
        ('path', RECIPE | {'boxes': 'mmdet:rtmdet-m', 'track': {'method': 'path', 'every': 2}}),
        ('moved', RECIPE | {'boxes': 'mmdet:rtmdet-m', 'boxes_weights': ['/nowhere/w.pth', 'a' * 64]}),
        ('evil', RECIPE | {'boxes': 'mmdet:/evil.py'}),
        ('bad', RECIPE | {'size': '64'}),
    ):
        save_model(folder, name, STUDENT.format(dims=26), meta={'recipe': recipe} if recipe else {})
    make_video(folder / 'jump.mp4')
    write_boxes(folder / 'boxes', 'jump')
    return folder


@pytest.fixture
def lines(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(module, 'print_log', lambda line, *_: lines.append(line))
    return lines


def build(folder, name, **options):
    return VPDInferencer(folder / f'{name}.py', folder / options.pop('weights', f'{name}.pth'), **options)


def resampled(folder):
    return VideoReader(folder / 'jump.mp4', 12.5).num_frames


def settings(inferencer):
    flow = inferencer.student.flow
    boxes = inferencer._models.settings
    return boxes.boxes, boxes.tracker, inferencer.student.cropper.size, flow.method, flow.subtract_median


def test_the_recipe_is_used_and_asks_for_nothing(folder, lines):
    inferencer = build(folder, 'student')
    assert settings(inferencer) == ('full', {}, 64, 'farneback', True)
    assert lines == ["boxes full: as in the student's corpus"]
    [result] = inferencer(str(folder / 'jump.mp4'))['predictions']
    assert (result['fps'], result['num_frames']) == (12.5, resampled(folder))
    options = {'boxes': 'full', 'crop_size': 64, 'flow': 'farneback', 'subtract_median': True}
    [same] = build(folder, 'former', **options)(str(folder / 'jump.mp4'), fps=12.5)['predictions']
    assert np.array_equal(result['feats'], same['feats'])
    [array] = inferencer(np.zeros((3, 48, 64, 3), np.uint8))['predictions']
    assert (array['fps'], array['num_frames']) == (25, 3), 'only files are resampled'


def test_what_is_given_and_differs_is_one_line_each(folder, lines):
    options = {'boxes': str(folder / 'boxes'), 'crop_size': 32, 'flow': 'farneback', 'subtract_median': False}
    inferencer = build(folder, 'student', **options, tracker={'num_athletes': 2})
    assert settings(inferencer) == (options['boxes'], {'num_athletes': 2}, 32, 'farneback', False)
    [result] = inferencer(str(folder / 'jump.mp4'), fps=25)['predictions']
    assert result['num_frames'] == FRAMES
    assert [line.partition(': given; ')[0] for line in lines] == [
        'size 32',
        'subtract_median False',
        "track {'num_athletes': 2}",
        f'boxes {options["boxes"]}',
        'fps 25',
    ]
    assert "fps 25: given; the student's corpus was made with 12.5" in lines
    lines.clear()
    build(folder, 'student', boxes='full', crop_size=64, flow='farneback', subtract_median=True)
    build(folder, 'files', boxes=str(folder / 'boxes'))
    assert lines == [], 'what is given and equal needs no line'


def test_boxes_of_files_and_former_checkpoints_take_the_defaults(folder, lines):
    assert settings(build(folder, 'files')) == ('mmdet:rtmdet-m', {'num_athletes': 2}, 64, 'farneback', True)
    assert lines == ["boxes mmdet:rtmdet-m: the student's corpus was made with files; --boxes selects others"]
    lines.clear()
    assert settings(build(folder, 'former')) == ('mmdet:rtmdet-m', {}, 128, 'dis', False)
    assert ['former.pth: does not record how its corpus was made' in line for line in lines] == [True, False]
    assert 'the default; --boxes selects others' in lines[1]
    lines.clear()
    build(folder, 'former', boxes=f'mmdet:rtmdet-m:{folder}/former.pth')
    assert ['does not record' in line for line in lines] == [True], 'nothing to differ from'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('moved', r'weights /nowhere/w\.pth: no such file; pass --boxes mmdet:rtmdet-m:<checkpoint>'),
        ('evil', r'boxes mmdet:/evil\.py, a config of its author; pass --boxes'),
    ],
)
def test_a_detector_that_may_not_be_used_is_an_error_where_boxes_are_needed(folder, lines, name, message):
    inferencer = build(folder, name)
    assert lines == []
    for call in (inferencer.load_detector, lambda: inferencer(str(folder / 'jump.mp4'))):
        with pytest.raises(UserError, match=message):
            call()
    bboxes = np.tile([0, 0, 40, 40], (resampled(folder), 1))
    assert len(inferencer(str(folder / 'jump.mp4'), bboxes=bboxes)['predictions']) == 1
    build(folder, name, boxes='full').load_detector()


def test_the_path_method_has_no_online_form(folder, lines):
    assert build(folder, 'path')._rules == {}
    assert build(folder, 'path', tracker={'method': 'path'})._rules == {'method': 'path'}, 'given: an error names it'
    assert build(folder, 'path')._models.settings.tracker == {'method': 'path', 'every': 2}


def test_a_recipe_that_is_not_valid_is_named(folder):
    with pytest.raises(UserError, match=r"bad\.pth: recipe: size must be a whole number, found '64'; train or export"):
        build(folder, 'bad')


def test_packed_and_exported_students_keep_it(folder, lines, tmp_path):
    pack_checkpoint(folder / 'student.pth', tmp_path / 'packed.pth', 10**8)
    assert torch.load(tmp_path / 'packed.pth', weights_only=True)['meta']['dataset_meta'] == {'recipe': RECIPE}
    assert settings(build(folder, 'student', weights=tmp_path / 'packed.pth'))[2:] == (64, 'farneback', True)
    pytest.importorskip('onnx'), pytest.importorskip('onnxruntime')
    assert export([str(folder / 'student.py'), str(folder / 'student.pth'), '--out', str(tmp_path / 's.onnx')]) is None
    assert settings(build(folder, 'student', weights=tmp_path / 's.onnx')) == ('full', {}, 64, 'farneback', True)


def test_the_tool_asks_for_nothing(folder, tmp_path, monkeypatch, lines):
    monkeypatch.chdir(tmp_path)
    student = ['--student', f'{folder}/student.py:{folder}/student.pth', '--no-video']
    assert infer([str(folder / 'jump.mp4'), *student, '--out', 'a']) == 0
    assert read_json(tmp_path / 'a' / 'jump.json', '')['num_frames'] == resampled(folder) < FRAMES
    assert infer([str(folder / 'jump.mp4'), *student, '--out', 'b', '--no-subtract-median', '--fps', '25']) == 0
    assert json.loads((tmp_path / 'b' / 'jump.json').read_text())['num_frames'] == FRAMES
    assert lines.count("subtract_median False: given; the student's corpus was made with True") == 1
