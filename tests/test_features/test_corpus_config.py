"""Configs follow the corpus; options that change nothing are refused."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
from baseline_corpus import SPORT_CORPORA, make_baseline_corpus, make_sport_corpus
from mmengine.config import Config

from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import add_corpus_arguments, add_run_arguments
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import adapt_config, datasets_of, load_corpus_config, share_holdout
from vpd_mm.structures import save_classes

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
WINDOWS = {
    'fsjump6': dict(before_sec=2.5, after_sec=0.5, around='middle'),
    'tennis7': dict(before_sec=0.5, after_sec=0.5, around='start'),
    'fx35': dict(before_sec=0.25, after_sec=0.0),
}


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    return make_baseline_corpus(tmp_path_factory.mktemp('corpora'))


@pytest.fixture(scope='module')
def roots(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp('sports')
    return {name: str(make_sport_corpus(folder, name, base).root) for name in SPORT_CORPORA}


def read(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'{name}.py')


@pytest.mark.parametrize('protocol', ['default', 'paper'])
@pytest.mark.parametrize('name', SPORT_CORPORA)
def test_classes_window_rate_and_splits_come_from_the_corpus(name, protocol, roots):
    published = protocol == 'paper'
    train, val = (['train', 'val'], 'test') if published and name in ('fx35', 'diving48') else ('train', 'val')
    fps = None if published and name in ('fsjump6', 'tennis7') else 25
    for config in ('recognize/bigru', 'baselines/stgcn', 'baselines/tsn'):
        cfg = adapt_config(read(config), roots[name], protocol=protocol)
        num_classes = (cfg.model.get('cls_head') or cfg.model).num_classes
        for part, split in (('train', train), ('val', val), ('test', 'test')):
            (dataset,) = datasets_of(cfg, part)
            assert dataset.corpus == roots[name]
            assert dataset.window == WINDOWS.get(name, dict(before_sec=0.0, after_sec=0.0))
            assert (dataset.fps, dataset.split) == (fps, split)
            assert dataset.num_classes == num_classes == SPORT_CORPORA[name][1]
            assert dataset.get('poses') in (None, SPORT_CORPORA[name][2])
    cfg = adapt_config(read('detect/bigru_detector'), roots[name])
    tennis = dict(before_sec=0.1, after_sec=0.1, around='start')
    assert cfg.train_dataloader.dataset.widen == (tennis if name == 'tennis7' else dict(before_sec=0.0, after_sec=0.0))
    assert cfg.train_dataloader.dataset.num_classes == cfg.model.num_classes == 1


def test_top5_is_not_measured_of_few_classes(base, tmp_path):
    corpus = Corpus.open(shutil.copytree(base.root, tmp_path / 'c'))
    for num_classes, expected in ((1, (1,)), (5, (1,)), (6, None)):
        save_classes(corpus.classes_path, [f'class{i}' for i in range(num_classes)])
        evaluators = adapt_config(read('recognize/bigru'), str(corpus.root)).test_evaluator
        [accuracy] = [metric for metric in evaluators if metric.type.endswith('AccMetric')]
        assert accuracy.get('metric_options', {}).get('top_k_accuracy', {}).get('topk') == expected


@pytest.mark.parametrize('name', SPORT_CORPORA)
def test_a_student_follows_teacher_and_data_set(name, roots):
    std = {'tennis7': 34.49, 'fsjump6': 54.44, 'fx35': 49.74, 'diving48': 41.57}.get(name)
    for config, dims in (('2d', 26), ('vi', 64)):
        cfg = adapt_config(read(f'distill/resnet34_{config}-vpd_1000e'), roots[name])
        assert (cfg.model.student.out_dims, cfg.model.decoder.dims) == (dims, dims)
        assert cfg.model.data_preprocessor.get('std', [None])[0] == std
        assert cfg.train_dataloader.dataset.pipeline[3].type == 'BackgroundNoise'
        assert cfg.train_dataloader.dataset.pipeline[3].get('std', [None])[0] == std
    pretrained = read('distill/resnet34_2d-vpd_1000e')
    pretrained.model.student.init_cfg = dict(type='Pretrained', checkpoint='torchvision://resnet34')
    assert 'std' not in adapt_config(pretrained, roots[name]).model.data_preprocessor


def test_ablations_and_protocol_of_a_student(roots):
    cfg = {
        stream: adapt_config(read('distill/resnet34_vi-vpd_1000e'), roots['fx35'], stream=stream, protocol='paper')
        for stream in ('full', 'nomotion', 'nomotion-noflow', 'actions', 'corpus')
    }
    data = {stream: one.train_dataloader.dataset for stream, one in cfg.items()}
    assert [s for s in cfg if cfg[s].model.decoder is None] == ['nomotion', 'nomotion-noflow']
    assert [s for s in cfg if not data[s].get('motion', True)] == ['nomotion', 'nomotion-noflow']
    assert [s for s in cfg if not cfg[s].model.data_preprocessor.get('with_flow', True)] == ['nomotion-noflow']
    assert [s for s in cfg if cfg[s].model.student.in_channels == 3] == ['nomotion-noflow']
    assert [s for s in cfg if data[s].get('actions_only')] == ['actions']
    assert [s for s in cfg if data[s].splits is None] == ['corpus']
    for one in cfg.values():
        assert {one[f'{part}_dataloader'].dataset.holdout for part in ('train', 'val', 'test')} == {'frame'}
        assert one.val_dataloader.sampler == dict(type='EpochDrawSampler', num_samples=4000)
        assert one.val_dataloader.dataset.pipeline == one.train_dataloader.dataset.pipeline
        assert (one.model.student.mean_kernels, one.model.data_preprocessor.flow_std) == (True, 41)
    default = adapt_config(read('distill/resnet34_2d-vpd_1000e'), roots['fx35'])
    assert 'mean_kernels' not in default.model.student
    assert default.val_dataloader.sampler.type == 'DefaultSampler'


def test_the_field_paper_of_a_config(roots):
    cfg = read('recognize/bigru')
    cfg.paper = {'optim_wrapper.optimizer.lr': 0.5}
    for protocol, lr in (('default', 1e-3), ('paper', 0.5)):
        adapted = adapt_config(cfg, roots['penn'], protocol=protocol)
        assert adapted.optim_wrapper.optimizer.lr == lr
        assert 'paper' not in adapted


def test_the_window_of_a_data_set_is_logged(base, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr('vpd_mm.features.corpus_config.print_log', lambda message, logger: lines.append(message))
    adapt_config(read('recognize/bigru'), str(make_sport_corpus(tmp_path / 'a', 'tennis7', base).root))
    assert len(lines) == 1
    assert 'window of tennis7: 0.5 s before, 0.5 s after its first frame' in lines[0]
    adapt_config(read('recognize/bigru'), str(make_sport_corpus(tmp_path / 'b', 'diving48', base).root))
    assert len(lines) == 1


def test_a_corpus_of_a_former_import_is_named(base, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr('vpd_mm.features.corpus_config.print_log', lambda message, logger: lines.append(message))
    root = make_sport_corpus(tmp_path, 'tennis7', base).root
    fields = json.loads((root / 'corpus.json').read_text())
    del fields['dataset']
    (root / 'corpus.json').write_text(json.dumps(fields | {'sport': 'tennis'}))
    adapt_config(read('recognize/bigru'), str(root))
    assert len(lines) == 1
    assert 'corpus.json: names no data set' in lines[0]


def test_corpus_json_may_state_the_window(base, tmp_path):
    root = make_sport_corpus(tmp_path, 'tennis7', base).root
    fields = json.loads((root / 'corpus.json').read_text())
    for window, number in (({'before_sec': 1}, 1.0), ({'before_sec': 0.3, 'after_sec': 0.2}, 0.3)):
        (root / 'corpus.json').write_text(json.dumps(fields | {'window': window}))
        dataset = adapt_config(read('recognize/bigru'), str(root)).train_dataloader.dataset
        assert dataset.window == dict(before_sec=number, after_sec=window.get('after_sec', 0.0))
    for window in (3, {'before': 1}, {'before_sec': 'a'}):
        (root / 'corpus.json').write_text(json.dumps(fields | {'window': window}))
        with pytest.raises(UserError, match='window must be an object with before_sec and after_sec'):
            adapt_config(read('recognize/bigru'), str(root))


def test_a_window_in_the_config_stays(roots):
    cfg = read('recognize/bigru')
    cfg.train_dataloader.dataset.window = dict(before_sec=9.0, after_sec=0.0)
    cfg = adapt_config(cfg, roots['tennis7'])
    assert cfg.train_dataloader.dataset.window.before_sec == 9
    assert cfg.val_dataloader.dataset.window.before_sec == 0.5


def test_dims_follow_the_features_and_the_velocity(roots):
    root = roots['penn']
    for config, factor in (('bigru', 1), ('bigru_fast_features', 2)):
        for features, dims in ((None, 26 if factor == 1 else 64), ('vpd', 26), ('features/vpd+teacher/vipe', 90)):
            cfg = adapt_config(read(f'recognize/{config}'), root, features=features)
            assert cfg.test_dataloader.dataset.dims == dims
            assert cfg.model.backbone.in_dims == factor * dims
    assert cfg.test_dataloader.dataset.features == ['features/vpd', 'teacher/vipe']


def test_a_stream_changes_input_and_pipelines(roots):
    gsm = {
        stream: adapt_config(read('baselines/gsm'), roots['fx35'], stream=stream)
        for stream in ('crop', 'frame', 'flow')
    }
    data = {stream: cfg.train_dataloader.dataset for stream, cfg in gsm.items()}
    assert {stream: dataset.source for stream, dataset in data.items()} == {s: s for s in gsm}
    assert data['flow'].pipeline == data['crop'].pipeline != data['frame'].pipeline
    assert gsm['flow'].model.backbone.type == 'vpd_mm.StackedFlowBackbone'
    assert len(gsm['flow'].model.data_preprocessor.mean) == 10
    assert 'in_channels' not in gsm['frame'].model.backbone.backbone
    assert 'streams' not in gsm['crop']
    assert adapt_config(read('baselines/gsm'), roots['fx35'])._cfg_dict == gsm['crop']._cfg_dict
    again = adapt_config(gsm['flow'], roots['tennis7'])  # an adapted config, as the work dir holds it
    assert again.train_dataloader.dataset.source == 'flow'
    assert again.model.cls_head.num_classes == 7


def test_several_pose_sets_need_a_choice(base):
    root = str(base.root)
    with pytest.raises(UserError, match='has the pose sets penn, release, teacher; pass --poses NAME'):
        adapt_config(read('baselines/stgcn'), root)
    assert adapt_config(read('baselines/stgcn'), root, poses='penn').val_dataloader.dataset.poses == 'penn'


@pytest.mark.parametrize(
    ('config', 'options', 'message'),
    [
        ('baselines/gsm', dict(stream='joint'), r'gsm\.py: --stream must be one of crop, frame, flow, found .joint.'),
        ('baselines/posec3d', dict(stream='bone'), 'must be one of joint, found .bone.'),
        ('recognize/bigru', dict(stream='flow'), 'has no streams to choose from'),
        ('baselines/gsm', dict(features='vpd'), 'its data sets read no features; leave --features vpd out'),
        ('baselines/gsm', dict(poses='penn'), 'its data sets read no poses'),
        ('baselines/stgcn_joint_8e_generated', {}, 'its data sets read no corpus'),
        ('baselines/gsm', dict(corpus=None), 'names no corpus; pass --corpus DIR'),
        ('recognize/bigru', dict(features='none'), "features 'none': no folder"),
    ],
)
def test_options_that_do_not_apply_are_refused(config, options, message, roots):
    with pytest.raises(UserError, match=message):
        adapt_config(read(config), **{'corpus': roots['fx35'], **options})


def test_a_distillation_takes_the_corpus_alone(roots):
    before = read('distill/resnet18_2d-vpd_40e_synthetic')
    after = adapt_config(before, roots['penn'])
    for part in ('train', 'val', 'test'):
        old, new = before[f'{part}_dataloader'].dataset, after[f'{part}_dataloader'].dataset
        assert new == {**old, 'corpus': roots['penn']}
    assert adapt_config(before)._cfg_dict == before._cfg_dict


def test_missing_actions_are_allowed_where_they_can_be(roots):
    for config in ('recognize/bigru', 'baselines/tsn', 'detect/bigru_detector'):
        assert adapt_config(read(config), roots['penn'], allow_missing=True).train_dataloader.dataset.allow_missing


def test_a_relative_corpus_of_a_config_is_looked_up_here(roots, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = [str(CONFIGS / 'distill/resnet18_2d-vpd_40e_real.py')]
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    add_corpus_arguments(parser)
    with pytest.raises(
        UserError, match=rf'names the corpus data/real, no folder seen from {tmp_path}; pass --corpus DIR'
    ):
        load_corpus_config(parser.parse_args(args))


def test_arguments_reach_the_config_and_name_the_work_dir(roots):
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    add_corpus_arguments(parser)
    gsm = [str(CONFIGS / 'baselines/gsm.py'), '--corpus', roots['fx35'], '--stream', 'flow']
    options = ['--cfg-options', 'train_dataloader.dataset.window.before_sec=2', 'train_dataloader.dataset.fps=12.5']
    cfg = load_corpus_config(parser.parse_args([*gsm, *options]))
    assert cfg.train_dataloader.dataset.window == dict(before_sec=2, after_sec=0.0)
    assert cfg.train_dataloader.dataset.fps == 12.5
    assert cfg.work_dir == 'work_dirs/gsm_flow_fx35'
    bigru = [str(CONFIGS / 'recognize/bigru.py'), '--corpus', roots['penn'], '--features', 'features/vpd']
    assert load_corpus_config(parser.parse_args(bigru)).work_dir == 'work_dirs/bigru_features-vpd_penn'
    assert load_corpus_config(parser.parse_args([*bigru, '--work-dir', 'mine'])).work_dir == 'mine'


def test_the_training_sets_the_held_out_frames_of_all_parts():
    cfg = read('distill/resnet18_2d-vpd_40e_real')
    cfg.merge_from_dict({'train_dataloader.dataset.holdout': 'frame', 'val_dataloader.dataset.val_ratio': 0.5})
    share_holdout(cfg, {'train_dataloader.dataset.holdout'})
    for part in ('val', 'test'):
        assert cfg[f'{part}_dataloader'].dataset.holdout == 'frame'
        assert 'val_ratio' not in cfg[f'{part}_dataloader'].dataset
    name = 'test_dataloader.dataset.holdout'
    cfg.merge_from_dict({name: 'block'})
    with pytest.raises(UserError, match=f'{name}: held-out frames follow the training; set train_dataloader'):
        share_holdout(cfg, {name})
    synthetic = read('distill/resnet18_2d-vpd_40e_synthetic')
    share_holdout(synthetic)
    assert synthetic.test_dataloader.dataset.splits == ('test',)  # videos of its own
