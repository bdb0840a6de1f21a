"""Both notebooks run, at small sizes, and the outputs in the repository are complete."""

import json
import re

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from tutorials import (
    FOLDER,
    MAX_BYTES,
    NAMES,
    errors,
    num_images,
    outputs,
    read_tutorial,
    run_notebook,
    run_tutorial,
)

from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.structures import load_actions

#: Code that follows the sizes of a notebook: boxes of the corpus, few crops, hardly any training.
SIZES = {
    'synthetic_sport': """
VIDEOS, SIDE, MOMENTS, EPOCHS, CROPS = {'train': 1, 'val': 1, 'test': 1}, 128, 1, 1, 100
BOXES, TRACKER, POSES = 'tutorial/sport/athlete/tracks', None, 'tutorial/sport/ground_truth/poses'
""",
    'your_own_video': """
STAND_IN, SIDE, EPOCHS, CROPS, STEPS = {'train': 1, 'val': 1, 'test': 1}, 128, 1, 100, 10
""",
}
CORPUS = {'synthetic_sport': 'tutorial/corpus', 'your_own_video': 'data/mine'}


@pytest.fixture(scope='module', params=[pytest.param(name, marks=pytest.mark.full) for name in NAMES])
def run(request, tmp_path_factory):
    """Name, folder and executed notebook; a cell that raises is an error here."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, run_tutorial(request.param, folder, SIZES[request.param])


def test_no_cell_and_no_tool_fails(run):
    assert errors(run[2]) == []


def test_every_frame_has_a_crop_and_features(run):
    name, folder, _ = run
    corpus = Corpus.open(folder / CORPUS[name])
    videos, crops, student = corpus.videos(), CropStore(corpus.crops_dir), FeatureStore(corpus.features_dir('vpd'))
    assert set(videos) == set(crops.videos()) == set(student.videos()) == {'train_0000', 'val_0000', 'test_0000'}
    for video in videos:
        assert len(student[video]) == len(crops.header(video)) > 0.9 * videos[video].num_frames
    assert student.dims == 26
    assert {action.split for action in load_actions(corpus.actions_path)} == {'train', 'val', 'test'}


def test_images_are_those_of_the_repository(run):
    name, _, notebook = run
    assert num_images(notebook) == num_images(read_tutorial(name)) >= 6


def test_own_video_ends_with_a_prediction(run):
    name, folder, _ = run
    if name == 'your_own_video':
        assert (folder / 'runs/infer/test_0000.mp4').is_file()
        assert json.loads((folder / 'runs/infer/test_0000.json').read_text())


def test_an_error_of_a_tool_is_found(tmp_path):
    """``%run`` itself does not raise."""
    cell = new_code_cell('%run -m vpd_mm nothing')
    notebook = new_notebook(cells=[cell])
    run_notebook(notebook, tmp_path)
    assert "error: no tool 'nothing'" in errors(notebook)[0]


@pytest.mark.parametrize('name', NAMES)
def test_outputs_in_the_repository(name):
    path, notebook = FOLDER / f'{name}.ipynb', read_tutorial(name)
    assert path.stat().st_size < MAX_BYTES
    assert errors(notebook) == []
    for cell in notebook.cells:
        assert cell.get('execution_count') is None
    texts = [output.get('text', '') or output.get('data', {}).get('text/plain', '') for output in outputs(notebook)]
    assert not re.search(r'(^|\s|\x1b)/\w+/|\x1b', '\n'.join(texts)), 'absolute paths or colours'
