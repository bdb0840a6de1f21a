"""The published few-shot lists of FX35 and Diving48, from the import to the data sets, under both protocols."""

from collections import Counter

import pytest
from mmengine.registry import init_default_scope
from published_lists import TESTED, UNLISTED, add_features, import_published

from vpd_mm.errors import UserError
from vpd_mm.experiments import Method, few_shot_spec, plan_runs
from vpd_mm.registry import DATASETS
from vpd_mm.structures import load_actions

LISTED = {'fx35': 5407, 'diving48': 14744}


@pytest.mark.parametrize('name', ['fx35', pytest.param('diving48', marks=pytest.mark.full)])
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
    method = Method('BiGRU', config='configs/recognize/bigru.py')
    for protocol, selected_on, num_selecting in (('default', 'val', UNLISTED), ('paper', 'test', TESTED)):
        plan = plan_runs(few_shot_spec(method, str(corpus.root), [4], subsets=1, protocol=protocol))
        (run,) = plan.runs
        assert (plan.problems, run.selected_on, run.split) == ({}, selected_on, 'annotations/fewshot/4_0.txt')
        init_default_scope('vpd_mm')
        training, selecting = (run.cfg[f'{part}_dataloader']['dataset'] for part in ('train', 'val'))
        sizes = [len(DATASETS.build(dataset)) for dataset in ({**training, 'ids_file': run.split}, selecting)]
        assert sizes == [len(corpus.fewshot_path(4, 0).read_text().split()), num_selecting]


def test_without_validation_the_default_protocol_says_what_to_do(shared, tmp_path):
    corpus = import_published('fx35', shared / 'vpd_annotations', tmp_path / 'c')
    add_features(corpus, 4, 0)
    method = Method('BiGRU', config='configs/recognize/bigru.py')
    # the labels of the test are invented: a published list may lack a class of theirs
    options = {'allow_short': True}
    plans = {
        p: plan_runs(few_shot_spec(method, str(corpus.root), [4], protocol=p, **options)) for p in ('default', 'paper')
    }
    assert plans['paper'].problems == {}
    message = (
        'no action of split val; it has test, train; write val as the split of some training actions, divide them in '
        'the studio, or import with a --val-share above 0; FX35 and Diving48 can do without'
    )
    with pytest.raises(UserError, match=message):
        raise UserError(plans['default'].problems['BiGRU'])
