"""Weights that do not fit a model are one error with the name of the file."""

import pytest
import torch
from inference_files import SCORER, save_model

from vpd_mm.engine.model_files import build_model, load_weights, read_model_config
from vpd_mm.errors import UserError


def versions_of_texts(state):
    state._metadata = {key: {'version': 'x'} for key in state._metadata}


def whole_numbers(state):
    for key, value in state.items():
        state[key] = value.long()


def metadata_of_a_list(state):
    state._metadata = [1]


@pytest.mark.parametrize('change', [versions_of_texts, whole_numbers, metadata_of_a_list])
def test_weights_that_do_not_fit_are_named(tmp_path, change):
    save_model(tmp_path, 'scorer', SCORER)
    cfg, file = read_model_config(tmp_path / 'scorer.py'), tmp_path / 'scorer.pth'
    load_weights(build_model(cfg), file, cfg)
    content = torch.load(file, weights_only=True)
    change(content['state_dict'])
    torch.save(content, file)
    with pytest.raises(UserError, match=r'scorer\.pth: does not fit .*scorer\.py: '):
        load_weights(build_model(cfg), file, cfg)
