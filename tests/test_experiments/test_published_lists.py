"""The published few-shot lists of FX35 and Diving48, from the import to a result, under both protocols."""

from collections import Counter

import pytest
from published_lists import UNLISTED, add_features, import_published

from vpd_mm.errors import UserError
from vpd_mm.experiments import Method, RunStore, execute, few_shot_spec, plan_runs
from vpd_mm.structures import load_actions

LISTED = {'fx35': 5407, 'diving48': 14744}


@pytest.mark.parametrize('name', LISTED)
def test_few_shot_on_published_lists(name, shared, tmp_path):
    corpus = import_published(name, shared / 'vpd_annotations', tmp_path / name, val_share=0.1)
    actions = {action.action_id: action for action in load_actions(corpus.actions_path)}
    splits = Counter(action.split for action in actions.values())
    assert splits['val'] == UNLISTED  # all that may move: less than the share of a tenth
    assert splits['train'] == LISTED[name]
    lists = [path.read_text().split() for path in corpus.fewshot_path(4, 0).parent.iterdir()]
    assert len(lists) == 60
    assert {actions[i].split for ids in lists for i in ids} == {'train'}
    add_features(corpus, 4, 0)
    options = {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1, 'default_hooks.checkpoint.interval': 1}
    options |= {'model.hidden_dims': 8, 'model.backbone.hidden_dims': 4, 'log_level': 'WARNING'}
    method = Method('BiGRU', config='configs/recognize/bigru.py', options=options)
    store = RunStore(tmp_path / 'runs')
    for protocol, selected_on in (('default', 'val'), ('paper', 'test')):
        plan = plan_runs(few_shot_spec(method, str(corpus.root), [4], subsets=1, protocol=protocol))
        (run,) = plan.runs
        assert (plan.problems, run.selected_on, run.split) == ({}, selected_on, 'annotations/fewshot/4_0.txt')
        execute(run, store)
        assert 0 <= store[run.key]['top1'] <= 100


def test_without_validation_the_default_protocol_says_what_to_do(shared, tmp_path):
    corpus = import_published('fx35', shared / 'vpd_annotations', tmp_path / 'c')
    add_features(corpus, 4, 0)
    method = Method('BiGRU', config='configs/recognize/bigru.py')
    plans = {p: plan_runs(few_shot_spec(method, str(corpus.root), [4], protocol=p)) for p in ('default', 'paper')}
    assert plans['paper'].problems == {}
    message = 'no action of split val; it has test, train; import with a --val-share above 0, or pass --protocol paper'
    with pytest.raises(UserError, match=message):
        raise UserError(plans['default'].problems['BiGRU'])
