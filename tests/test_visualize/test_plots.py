"""Plots: numbers of lines, points and bars."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from vpd_mm.visualize.plots import accuracy_figure, confusion_figure, figure_to_rgb, timeline_figure, training_figure

METHODS = {
    '2D-VPD': {4: (60.0, 3.0), 8: (70.0, 2.0), None: (80.0, 1.0)},
    'unfinished': {},
    'joints': {4: (50.0, 3.0), None: (66.0, 1.0)},
}
GROUPS = {'2D-VPD': 'features', 'unfinished': 'features', 'joints': 'pose'}


def test_accuracy_over_k_has_a_line_per_method_and_a_point_per_k():
    axes = accuracy_figure('t', (4, 8, None), METHODS, GROUPS).axes[0]
    lines = [container.lines[0] for container in axes.containers]
    assert [container.get_label() for container in axes.containers] == ['2D-VPD', 'joints']
    assert [list(line.get_ydata()) for line in lines] == [[60, 70, 80], [50, 66]]
    assert list(lines[0].get_xdata()) == pytest.approx([4, 8, 16], rel=0.02)
    assert lines[0].get_color() != lines[1].get_color()
    assert lines[0].get_linestyle() != lines[1].get_linestyle()
    assert [label.get_text() for label in axes.get_xticklabels()] == ['4', '8', 'all']


def test_a_single_k_is_drawn_as_bars_as_long_as_the_accuracy():
    figure = accuracy_figure('t', (4,), METHODS, GROUPS)
    axes = figure.axes[0]
    lengths = [bar.get_width() for bars in axes.containers for bar in getattr(bars, 'patches', [])]
    assert lengths == [60, 50]
    assert [label.get_text() for label in axes.get_yticklabels()] == ['2D-VPD', 'joints']
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['features', 'pose']
    assert accuracy_figure('t', (16,), METHODS, GROUPS) is None


def test_a_method_keeps_its_colour_whichever_methods_are_finished():
    colours = [
        {c.get_label(): c.lines[0].get_color() for c in accuracy_figure('t', (4, 8), methods).axes[0].containers}
        for methods in (METHODS, METHODS | {'2D-VPD': {}})
    ]
    assert list(colours[1]) == ['joints']
    assert colours[0]['joints'] == colours[1]['joints']


def test_names_are_drawn_literally():
    """No formula between dollars, which may be invalid, and no name left out of a legend."""
    names = {'_run': '_g', '$\\frac$': 'a$b$c', 'x\\$': '100%'}
    known = {name: {4: (60.0, 3.0), None: (80.0, 1.0)} for name in names}
    figures = [accuracy_figure('$x^$', ks, known, names) for ks in ((4,), (4, None))]
    figures += [timeline_figure('$x^$', np.zeros(2), np.zeros((2, 1)), [], [], 0.5)]
    figures += [confusion_figure(np.eye(3, dtype=int), [*names])]
    drawn = []
    for figure in figures:
        figure_to_rgb(figure)  # a formula that is not valid raises
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        drawn.append({text._preprocess_math(text.get_text())[0].lstrip('\u200b') for text in texts})
    assert set(names) | set(names.values()) | {'$x^$'} <= drawn[0]
    assert set(names) | {'$x^$'} <= drawn[1]
    assert '$x^$' in drawn[2]
    assert set(names) <= drawn[3]


def test_a_timeline_has_the_scores_and_a_bar_per_interval():
    seconds, scores = np.arange(50) / 10, np.random.default_rng(0).random((50, 3))
    figure = timeline_figure('v', seconds, scores, [(1, 2), (3, 4.5)], [(1, 2.5)], 0.4)
    curve, bars = figure.axes
    np.testing.assert_allclose(curve.lines[0].get_ydata(), scores.max(axis=1))
    assert curve.lines[1].get_ydata()[0] == 0.4
    labelled, detected = bars.collections
    assert [len(c.get_paths()) for c in (labelled, detected)] == [1, 2]
    assert detected.get_paths()[1].get_extents().intervalx.tolist() == [3, 4.5]
    assert figure_to_rgb(timeline_figure('v', np.zeros(0), np.zeros((0, 1)), [], [], 0.5)).std() > 1


def test_a_confusion_matrix_shows_shares_and_counts():
    before = plt.get_fignums()
    figure = confusion_figure(np.array([[3, 1], [0, 2]]), ['axel', 'lutz'])
    image, [axes] = figure_to_rgb(figure), figure.axes
    assert (image.dtype, image.ndim) == (np.uint8, 3)
    assert plt.get_fignums() == before  # no global state
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [text.get_text() for text in axes.texts] == ['3', '1', '2']
    assert [label.get_text() for label in axes.get_yticklabels()] == ['axel', 'lutz']


def test_curves_span_the_epochs_and_join_the_logs_of_a_resumed_training(tmp_path):
    logs = {
        '1': [{'loss': 4.0, 'step': 5}, {'loss': 3.0, 'step': 10}, {'error': 2.0, 'step': 1}],
        '2': [{'loss': 2.0, 'step': 15}, {'loss': 1.0, 'step': 20}, {'error': 1.5, 'step': 2}],
    }
    for name, rows in logs.items():
        path = tmp_path / name / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    with path.open('a') as f:  # not finite, nested too deep, and cut by a crash
        f.write('[1]\n{"loss": NaN, "step": 25}\n' + '[' * 100_000 + '\n{"loss": 0.')
    axes = training_figure(tmp_path, 'loss', 'error', 'squared error').axes[0]
    training, validation = axes.lines
    assert training.get_xdata() == pytest.approx([0.5, 1, 1.5, 2])
    assert training.get_ydata() == pytest.approx([4, 3, 2, 1])
    assert validation.get_xdata() == pytest.approx([1, 2])
    assert validation.get_ydata() == pytest.approx([2, 1.5])
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylabel() == 'squared error'
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ['training', 'validation']
