"""Comparisons as data, their runs and the keys of the runs."""

import shutil
from functools import cache

import numpy as np
import pytest
from comparison_corpus import ROOT, easy_corpus, plan_of, spec_of, write_comparison
from mmengine.config import Config

from vpd_mm.corpus import Corpus
from vpd_mm.engine.paths import find_config
from vpd_mm.errors import UserError
from vpd_mm.experiments import Method, few_shot_spec, plan_runs, read_spec
from vpd_mm.structures import FeatureSequence, load_actions, save_actions

BIGRU = 'configs/recognize/bigru.py'
BAD = [
    (dict(methods=[]), 'methods must be set'),
    (dict(ks=[2, 'many']), "ks must hold whole numbers above 0 or 'all', found 'many'"),
    (dict(ks=[2, 2]), 'ks must name each k once'),
    (dict(ks=4), 'ks must be a list, found 4'),
    (dict(methods=['a']), r"table: a method must be dict\(name=..., ...\), found 'a'"),
    (dict(methods=dict(name='a')), 'methods must be a list, found'),
    (dict(ablation=None), 'ablation must be a dict, found None'),
    (dict(options=[3]), r'options must be a dict, found \[3\]'),
    (dict(protocol='best'), 'protocol must be one of default, paper'),
    (dict(subsets=0), 'subsets must be a whole number above 0, found 0'),
    (dict(methods=[dict(name='a', kind='guess')]), "method 'a': kind must be one of .*, found 'guess'"),
    (dict(methods=[dict(name='a', kind='nearest')]), "method 'a': kind 'nearest' needs 'features'"),
    (dict(methods=[dict(name='a', confg='b')]), "method 'a': unknown field 'confg'; the fields are name, "),
    (dict(methods=[dict(name='a', config='b')] * 2), "two methods are named 'a'"),
    (dict(methods=[dict(name='a', kind='ensemble', of=['b'])]), "ensemble 'a' is of 'b', which is no method"),
    (dict(methods=[dict(name='a', kind='ensemble', of=['a'])]), 'ensembles in a circle: a, a'),
    (dict(methods=[dict(name='a', kind='detect', config='b')]), "table: method 'a' cannot be of kind 'detect'"),
]


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return easy_corpus(tmp_path_factory.mktemp('data') / 'easy')


@pytest.mark.parametrize(('fields', 'message'), BAD, ids=lambda v: str(v)[:40])
def test_an_invalid_comparison_is_refused_in_one_line(fields, message, corpus, tmp_path):
    with pytest.raises(UserError, match=message):
        spec_of(write_comparison(tmp_path / 'c.py', corpus, **fields))


def test_a_comparison_needs_a_corpus_and_methods_and_is_named_by_its_file(corpus):
    methods = [dict(name='a', kind='nearest', features='joints')]
    with pytest.raises(UserError, match='comparison: not a comparison: corpus must be set; --corpus DIR sets it'):
        read_spec(Config(dict(methods=methods)))
    spec = read_spec(Config(dict(methods=methods, corpus=str(corpus.root))))
    assert (spec.name, spec.title, spec.dataset, spec.subsets) == ('comparison', 'comparison', 'easy', 5)


def test_runs_are_methods_by_k_by_subset_and_seed(corpus, tmp_path):
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus, all_seeds=3))
    assert plan.problems == {}
    assert [run.name for run in plan.runs] == [
        'BiGRU, k=2 subset 0, seed 0',
        'BiGRU, k=2 subset 1, seed 0',
        *[f'BiGRU, all, seed {seed}' for seed in range(3)],
        'nearest, k=2 subset 0, seed 0',
        'nearest, k=2 subset 1, seed 0',
        'nearest, all, seed 0',
        'both, k=2 subset 0, seed 0',
        'both, k=2 subset 1, seed 0',
        *[f'both, all, seed {seed}' for seed in range(3)],
    ]
    assert len({run.key for run in plan.runs}) == 13
    lists = [f'annotations/fewshot/2_{i}.txt' for i in range(2)]
    assert [run.split for run in plan.runs[:3]] == [*lists, 'train']
    # nearest neighbours have one run for all seeds
    assert [run.members for run in plan.runs[-3:]] == [(run, plan.runs[7]) for run in plan.runs[2:5]]
    only = spec_of(tmp_path / 'c.py', ('both',)).sections[0]
    assert [method.name for method in only.methods] == ['BiGRU', 'nearest', 'both']
    with pytest.raises(UserError, match='--only none: no such method; methods are BiGRU, both, nearest'):
        spec_of(tmp_path / 'c.py', ('none',))


def test_a_key_depends_on_all_that_decides_the_result(corpus, tmp_path):
    def keys(**fields):
        return [run.key for run in plan_of(write_comparison(tmp_path / 'c.py', corpus, **fields)).runs[:6]]

    first = keys()
    assert keys(title='other') == first
    assert not set(keys(protocol='paper')) & set(first)
    changed = keys(options={'train_cfg.max_epochs': 9})
    assert not set(changed[:3]) & set(first)
    assert changed[3:] == first[3:]  # nearest neighbours take no options
    ids = corpus.fewshot_path(2, 1)
    text = ids.read_text()
    ids.write_text('a00\na01\n')
    listed = keys()
    ids.write_text(text)
    assert [a == b for a, b in zip(first, listed, strict=True)] == [True, False, True, True, False, True]


def test_a_key_depends_on_the_content_of_labels_and_features_not_on_paths(corpus, tmp_path):
    copy = tmp_path / 'copy'
    shutil.copytree(corpus.root, copy)

    def keys(features='joints'):
        method = Method('a', config=BIGRU, features=features)
        neighbour = Method('b', kind='nearest', features=features)
        return [run.key for m in (method, neighbour) for run in plan_runs(few_shot_spec(m, str(copy), ['all'])).runs]

    first = keys()
    there = Method('a', config=BIGRU, features='teacher/joints')
    assert plan_runs(few_shot_spec(there, str(corpus.root), ['all'])).runs[0].key == first[0]
    actions = copy / 'annotations' / 'actions.csv'
    text = actions.read_text()
    actions.write_text(text.replace('a35,v,350,360,1,test', 'a35,v,350,360,0,test'))
    assert actions.read_text() != text
    assert not set(keys()) & set(first)
    actions.write_text(text)
    assert keys() == first
    path = copy / 'teacher' / 'joints' / 'v.npz'
    sequence = FeatureSequence.load(path)
    sequence.save(path)
    assert keys() == first  # made again, the same content
    sequence.feats[0, 0, 0] += np.float32(1e-3)
    sequence.save(path)
    assert not set(keys()) & set(first)
    path.write_bytes(b'PK')
    with pytest.raises(UserError, match=r'v\.npz'):
        raise UserError(plan_runs(few_shot_spec(there, str(copy), ['all'])).problems['a'])


def test_detection_of_k_labelled_videos_uses_the_published_lists(corpus, tmp_path):
    detector = dict(name='detector', config='configs/detect/bigru_detector.py', features='joints')
    copy = Corpus.open(shutil.copytree(corpus.root, tmp_path / 'copy'))

    def runs(**fields):
        fields = dict(options={}, detection=dict(ks=[1], methods=[detector])) | fields
        return plan_of(write_comparison(tmp_path / 'c.py', copy, **fields), ('detector',)).runs

    drawn = runs()
    assert [(run.k, run.subset, run.split, run.selected_on) for run in drawn] == [
        (1, 0, 'train', 'folds'),
        (1, 1, 'train', 'folds'),
    ]
    copy.localize_path(1).parent.mkdir()
    copy.localize_path(1).write_text('v\n')
    listed = runs()
    assert [run.split for run in listed] == ['train', 'annotations/localize/1.txt']
    assert [a.key == b.key for a, b in zip(drawn, listed, strict=True)] == [True, False]
    assert {run.selected_on for run in runs(protocol='paper')} == {'test'}
    save_actions(copy.detect_path, load_actions(copy.actions_path))
    assert not {run.key for run in runs()} & {run.key for run in listed}


def test_a_method_of_two_tables_has_one_key(corpus, tmp_path):
    bigru = dict(name='the same', config=BIGRU)
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus, ablation=dict(ks=['all'], methods=[bigru])))
    assert len(plan.runs) == 10
    assert plan.runs[-1].section == 'ablation'
    assert plan.runs[-1].key == plan.runs[2].key


@cache
def streams_of(config: str) -> list[str]:
    return Config.fromfile(find_config(config)).streams


@pytest.mark.parametrize('path', sorted((ROOT / 'configs/compare').glob('*.py')), ids=lambda p: p.stem)
def test_comparisons_of_this_project_name_existing_configs(path):
    spec = spec_of(path)
    assert spec.corpus.startswith(('data/', 'runs/demo/'))
    names = {name for s in spec.sections for m in s.methods for name in (m.config, m.config_all) if name}
    for name in names:
        assert find_config(name).is_file()
    for section in spec.sections:
        for method in section.methods:
            if method.stream:
                assert method.stream in streams_of(method.config)


def test_seeds_count_from_that_of_the_config(corpus, tmp_path):
    methods = [dict(name='a', config=BIGRU, features='joints')]
    fields = dict(methods=methods, ks=['all'], all_seeds=2)

    def seeds(**more):
        runs = plan_of(write_comparison(tmp_path / 'c.py', corpus, **fields, **more)).runs
        return [run.seed for run in runs], {run.key for run in runs}

    (own, keys), (given, others) = seeds(), seeds(options={'randomness.seed': 5})
    assert (own, given) == ([0, 1], [5, 6])
    assert not keys & others
