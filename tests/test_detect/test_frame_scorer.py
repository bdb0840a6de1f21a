"""FrameScorer: windows, views, loss, training; search over a corpus."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.detect import FrameAccuracy, FrameScorer, Proposal, search
from vpd_mm.detect.frame_scorer import FrameHead, window_starts
from vpd_mm.detect.scored_video import ScoredVideo
from vpd_mm.detect.search import search_corpus
from vpd_mm.engine.model_files import build_model
from vpd_mm.errors import UserError
from vpd_mm.features import Window, clip_positions
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.files import MARK
from vpd_mm.structures import Action, FeatureSequence, FrameTimes

CONFIG = Path(__file__).resolve().parents[2] / 'configs/detect/bigru_detector.py'


def build(classes=1, window=20, dims=3):
    torch.manual_seed(0)
    backbone = {'type': 'vpd_mm.BiGRU', 'in_dims': dims, 'hidden_dims': 8, 'pool': None}
    return FrameScorer(backbone, classes, window)


def sample(targets, valid=None):
    targets = torch.as_tensor(targets, dtype=torch.float32)
    out = ActionDataSample()
    out.set_field(targets, 'gt_frames')
    out.set_field(torch.ones(len(targets), dtype=torch.bool) if valid is None else valid, 'valid')
    return out


def test_windows_cover_all_frames():
    assert window_starts(20, 20) == [0]
    assert window_starts(7, 20) == [0]
    assert window_starts(45, 20) == [0, 10, 20, 25]


def test_short_sequences_are_scored_at_once_and_views_averaged():
    model = build(2).eval()
    inputs = torch.randn(2, 15, 3)
    out = model.test_step({'inputs': [inputs, torch.randn(1, 50, 3)], 'data_samples': None})
    logits = model(**model.data_preprocessor({'inputs': [inputs]}), mode='tensor')
    torch.testing.assert_close(out[0].frame_scores, logits.sigmoid().mean(0))
    assert out[1].frame_scores.shape == (50, 2)


def test_long_sequences_are_averaged_over_overlapping_windows():
    model = build().eval()
    feats = torch.randn(1, 30, 3)
    scores = model.test_step({'inputs': [feats]})[0].frame_scores
    parts = [model.test_step({'inputs': [feats[:, s : s + 20]]})[0].frame_scores for s in (0, 10)]
    torch.testing.assert_close(scores[:10], parts[0][:10])
    torch.testing.assert_close(scores[10:20], (parts[0][10:] + parts[1][:10]) / 2)
    torch.testing.assert_close(scores[20:], parts[1][10:])


def test_only_valid_frames_enter_the_loss():
    model = build().eval()
    inputs = [torch.randn(1, 6, 3), torch.randn(1, 4, 3)]
    valid = torch.tensor([True, True, False, False, True, True])
    data = model.data_preprocessor(
        {'inputs': inputs, 'data_samples': [sample(np.eye(6)[:, :1], valid), sample(np.zeros((4, 1)))]}
    )
    logits = model(**data, mode='tensor')
    loss = model(**data, mode='loss')['loss_frames']
    chosen = torch.cat([logits[0, :6][valid], logits[1, :4]])
    target = torch.zeros(8, 1)
    target[0] = 1
    torch.testing.assert_close(loss, torch.nn.functional.binary_cross_entropy_with_logits(chosen, target))
    nothing = model.data_preprocessor(
        {'inputs': inputs[:1], 'data_samples': [sample(np.zeros((6, 1)), ~valid & valid)]}
    )
    assert model(**nothing, mode='loss')['loss_frames'] == 0


def test_head_and_loss_are_the_published_ones():
    """Values of the published model with the same weights and inputs; dropout off."""
    model = build(dims=3).eval()
    model.backbone.gru = torch.nn.GRU(3, 4, 2, bidirectional=True)
    model.head = FrameHead(8, 1, 0.0)
    model.backbone.input_dropout.p = 0.0
    with torch.no_grad():
        for i, weights in enumerate(model.parameters()):
            weights.copy_(torch.sin(torch.arange(weights.numel()) * 0.7 + i).view(weights.shape) * 0.5)
    inputs = list(torch.cos(torch.arange(36.0)).view(2, 1, 6, 3))
    targets = (torch.arange(12) % 3 == 0).view(2, 6, 1)
    data = model.data_preprocessor({'inputs': inputs, 'data_samples': [sample(t) for t in targets]})
    scores = model.eval()(**data, mode='tensor').sigmoid()[:, [0, 3, 5], 0]
    expected = torch.tensor([[0.6630, 0.6659, 0.6646], [0.6623, 0.6664, 0.6658]])
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)
    assert model(**data, mode='loss')['loss_frames'].item() == pytest.approx(0.8662, abs=1e-4)
    loss = model.train()(**data, mode='loss')['loss_frames']
    loss.backward()
    assert loss.item() == pytest.approx(0.7925, abs=1e-4)
    assert model.head[6].weight.grad.norm().item() == pytest.approx(0.4017, abs=1e-4)
    assert model.backbone.gru.weight_ih_l0.grad.norm().item() == pytest.approx(0.0339, abs=1e-4)


def test_number_of_parameters_is_the_published_one():
    assert sum(p.numel() for p in build_model(Config.fromfile(CONFIG)).parameters()) == 483_586


def test_results_are_exact_in_frames_of_the_video():
    rows = clip_positions(0, 100, FrameTimes(29.97), 100, Window(), 25.0)
    video = ScoredVideo('v', np.zeros((len(rows), 1)), np.append(rows, 100), np.zeros((0, 2)), np.zeros(0))
    assert video.to_frames(Proposal(0, 6, 0.5)) == Proposal(0, 7, 0.5)  # frames 0, 1, 2, 3, 4, 5; row 6 is frame 7
    assert video.to_frames(Proposal(80, 99, 0.5))[:2] == (int(80 * 1.1988), 100)
    fast = ScoredVideo('v', np.zeros((50, 1)), np.arange(0, 101, 2), np.zeros((0, 2)), np.zeros(0))
    assert fast.to_frames(Proposal(25, 35, 0.5)) == Proposal(50, 70, 0.5)


def marked_corpus(root):
    """Five videos of one action each, which a feature marks; the last one is for testing, the fourth for validation."""
    rng = np.random.default_rng(0)
    videos = {f'v{i}': (25.0, 120) for i in range(5)}
    actions = []
    for i in range(5):
        start = int(rng.integers(20, 90))
        actions.append(Action(f'x{i}', f'v{i}', start, start + 10, 0, {4: 'test', 3: 'val'}.get(i, 'train')))
    corpus = make_corpus(root, videos, actions)
    for i in range(5):
        path = corpus.teacher_dir('joints') / f'v{i}.npz'
        arrays = dict(np.load(path))
        arrays['feats'] = rng.normal(0, 0.1, (120, 2, 2)).astype(np.float32)
        arrays['feats'][actions[i].start_frame : actions[i].end_frame, :, 0] += 2
        np.savez(path, **arrays)
    return corpus, actions


def small_config(corpus, protocol='default'):
    cfg = Config.fromfile(CONFIG)
    cfg.visualizer = dict(type='Visualizer')  # mmengine caches visualizers by name and second
    options = {'train_cfg.max_epochs': 12, 'default_hooks.checkpoint.interval': 12, 'optim_wrapper.optimizer.lr': 1e-2}
    cfg.merge_from_dict(options | {'model.backbone.hidden_dims': 8, 'train_dataloader.batch_size': 4})
    cfg.train_dataloader.dataset.window = cfg.model.window = 60
    return adapt_config(cfg, str(corpus.root), protocol=protocol)


def test_seconds_of_the_results_are_those_of_the_time_stamps(tmp_path):
    times = FrameTimes.variable(np.append(np.arange(240) / 60, 4 + np.arange(161) / 20))
    search.save_intervals(tmp_path / 'v', 'v', times, 0.5, [Proposal(240, 400, 0.9, 0)], ['action'])
    [row] = json.loads((tmp_path / 'v.json').read_text())['intervals']
    assert (row['start_sec'], row['end_sec']) == (4.0, 12.0)
    assert (tmp_path / 'v.csv').read_text().splitlines()[1] == '240,400,4.0,12.0,action,0.9'


def test_search_trains_folds_and_writes_results(tmp_path):
    corpus, actions = marked_corpus(tmp_path / 'c')
    cfg = small_config(corpus)
    result = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', num_folds=2)
    assert (result['AP@0.5'], result['threshold_from']) == (1, 'folds')
    assert json.loads((tmp_path / 'out/ap.json').read_text()) == result | {'comment': MARK}
    (interval,) = json.loads((tmp_path / 'out/v4.json').read_text())['intervals']
    assert abs(interval['start_frame'] - actions[4].start_frame) <= 2
    assert interval['start_sec'] == pytest.approx(interval['start_frame'] / 25, abs=1e-3)
    assert len((tmp_path / 'out/v4.csv').read_text().splitlines()) == 2
    assert cv2.imread(str(tmp_path / 'out/v4.png')).std() > 5
    checkpoints = sorted((tmp_path / 'w').glob('2-folds-*/fold*/epoch_12.pth'))
    assert len(checkpoints) == 2
    assert result['trained_on'] == {'folds': 2, 'intervals': 4, 'videos': 4, 'frames': 480}
    assert (result['intervals'], result['frames']) == (1, 120)
    assert result['mAP'] > result['chance_mAP']
    measured = {key: value for key, value in result.items() if key not in ('threshold_from', 'trained_on', 'notes')}
    recorded = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'recorded', checkpoints)
    assert (recorded.items() >= measured.items(), recorded['threshold_from']) == (True, 'checkpoint')
    again = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'again', checkpoints, result['threshold'])
    assert again == recorded | {'threshold_from': 'argument'}
    content = torch.load(checkpoints[0], weights_only=False)
    del content['meta']['dataset_meta']['proposals']
    torch.save(content, tmp_path / 'old.pth')
    with pytest.raises(UserError, match='--checkpoints needs --threshold: these checkpoints record none'):
        search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', [tmp_path / 'old.pth'])
    options = [checkpoints, result['threshold']]
    for suffix in ('json', 'csv', 'png'):
        shutil.copy(tmp_path / f'again/v4.{suffix}', tmp_path / f'again/v0.{suffix}')
    search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'again', *options)  # replaces its own files
    assert not list((tmp_path / 'again').glob('v0.*')), 'of a split that had v0'
    for name in ('v4.json', 'v4.csv', 'v4.png', 'ap.json'):
        (tmp_path / name).write_text('{"video": "v4", "intervals": []}')
        with pytest.raises(UserError, match=f'{name}: exists and was not written by this tool'):
            search_corpus(cfg, tmp_path / 'w', 'test', tmp_path, *options)
        assert (tmp_path / name).read_text() == '{"video": "v4", "intervals": []}'
        (tmp_path / name).unlink()


def test_videos_without_actions_or_labels_are_searched(tmp_path):
    """v5 is listed as a test video without actions: its detection is false; v6 has no labels: it does not count."""
    corpus, _ = marked_corpus(tmp_path / 'c')
    rng = np.random.default_rng(1)
    for name in ('v5', 'v6'):
        corpus.add_videos([VideoInfo(name, '', 25.0, 120, 64, 64)])
        feats = rng.normal(0, 0.1, (120, 2, 2)).astype(np.float32)
        feats[40:50, :, 0] += 4
        path = corpus.teacher_dir('joints') / f'{name}.npz'
        FeatureSequence(np.arange(120), feats, np.ones(120, np.float32)).save(path)
    cfg = small_config(corpus)
    before = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'before', num_folds=2)
    options = {'checkpoints': sorted((tmp_path / 'w').glob('2-folds-*/fold*/epoch_12.pth'))}
    options['threshold'] = before['threshold']
    seen = []
    named = search_corpus(
        cfg, tmp_path / 'w', 'test', tmp_path / 'new', **options, names=[], on_progress=lambda *n: seen.append(n)
    )
    assert seen == [(i, 7) for i in range(1, 8)]
    assert (named['videos'], named['without_actions'], named['without_labels']) == (7, 0, 2)
    (interval,) = json.loads((tmp_path / 'new/v6.json').read_text())['intervals']
    assert abs(interval['start_frame'] - 40) <= 2
    only = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'only', **options, names=['v6'])
    assert not any('AP' in key for key in only)
    assert (only['intervals'], only['frames']) == (0, 0)
    assert only['notes'] == ['no searched video has a labelled action, so there is no AP']
    with pytest.raises(UserError, match=r"videos\.csv: no video 'v9'; it holds 7, as v0"):
        search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'only', **options, names=['v9'])
    corpus.splits_path.write_text('video,split\nv5,test\n')
    after = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'after', **options)
    assert (after['videos'], after['without_actions']) == (2, 1)
    # of two detections one is right: 1 where it has the better score, else 1/2
    false, right = (
        json.loads((tmp_path / f'after/{v}.json').read_text())['intervals'][0]['score'] for v in ('v5', 'v4')
    )
    assert (before['AP@0.5'], after['AP@0.5']) == (1, 1 if right > false else 0.5)
    new = Corpus.create(tmp_path / 'new corpus')  # without any label
    new.add_videos([corpus.video('v6')])
    shutil.copytree(corpus.teacher_dir('joints'), new.teacher_dir('joints'))
    cfg = small_config(new)
    assert search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'fresh', **options, names=[])['without_labels'] == 1
    assert json.loads((tmp_path / 'fresh/v6.json').read_text())['intervals'][0]['score'] == interval['score']


def test_search_as_published(tmp_path, monkeypatch):
    """The threshold of the tested videos, the best epoch, all training videos, val included, and 5,000 windows."""
    corpus, _ = marked_corpus(tmp_path / 'c')
    cfg = small_config(corpus, 'paper')
    assert cfg.train_dataloader.dataset.num_windows == 5000
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs, cfg.model.window) == (100, 200, None)
    cfg.merge_from_dict({'train_dataloader.dataset.num_windows': 40, 'train_cfg.max_epochs': 3})
    cfg.train_dataloader.batch_size = 4
    score_videos, scored = search.score_videos, []
    monkeypatch.setattr(search, 'score_videos', lambda *args: scored.append(score_videos(*args)) or scored[-1])
    result = search.search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', num_folds=2)
    *folds, tested = [{video.video for video in videos} for videos in scored]
    assert (set.union(*folds), tested) == ({'v0', 'v1', 'v2', 'v3'}, {'v4'})
    assert (result['threshold_from'], result['videos']) == ('test', 1)
    for fold in (tmp_path / 'w').glob('2-folds-*/fold*'):
        assert (fold / 'done.txt').read_text().startswith('best_detect_frame_accuracy_epoch_')


def test_frame_accuracy_and_its_ties():
    metric = FrameAccuracy()
    values = []
    for high in (0.9, 0.6):
        scores = torch.tensor([[0.2], [high], [0.7], [0.1]])
        metric.process({}, [{'frame_scores': scores, 'gt_frames': torch.tensor([[0.0], [1.0], [0.0], [0.0]])}])
        values.append(metric.evaluate(4)['detect/frame_accuracy'])
    assert values[0] > values[1]
    assert values == pytest.approx([0.75, 0.75], abs=1e-6)
