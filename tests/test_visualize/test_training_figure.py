"""Curves of a training, read from the logs of mmengine."""

import json

import pytest

from vpd_mm.visualize.plots import training_figure


def test_curves_span_the_epochs_and_join_the_logs_of_a_resumed_training(tmp_path):
    logs = {
        '1': [{'loss': 4.0, 'step': 5}, {'loss': 3.0, 'step': 10}, {'error': 2.0, 'step': 1}],
        '2': [{'loss': 2.0, 'step': 15}, {'loss': 1.0, 'step': 20}, {'error': 1.5, 'step': 2}],
    }
    for name, rows in logs.items():
        path = tmp_path / name / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    training, validation = training_figure(tmp_path, 'loss', 'error', 'error').axes[0].lines
    assert training.get_xdata() == pytest.approx([0.5, 1, 1.5, 2])
    assert training.get_ydata() == pytest.approx([4, 3, 2, 1])
    assert validation.get_xdata() == pytest.approx([1, 2])
    assert validation.get_ydata() == pytest.approx([2, 1.5])
