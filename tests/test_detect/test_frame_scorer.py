"""FrameScorer: windows, views, loss, training; search over a corpus."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from sequence_corpus import make_corpus

from vpd_mm.detect import FrameScorer, Proposal
from vpd_mm.detect.frame_scorer import window_starts
from vpd_mm.detect.search import ScoredVideo, ap_table, choose_threshold, search_corpus
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.structures import Action

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


def test_choose_threshold_maximizes_the_ap():
    scores = np.full((60, 1), 0.1)
    scores[10:20], scores[30:40] = 0.8, 0.45
    video = ScoredVideo('v', scores, 1.0, np.array([[10, 20]]), np.array([0]))
    both = ScoredVideo('v', scores, 1.0, np.array([[10, 20], [30, 40]]), np.array([0, 0]))
    assert ap_table([video], 0.6, (0.5,)) == pytest.approx([1])
    assert 0.1 < choose_threshold([both]) <= 0.45
    assert video.to_frames(Proposal(3, 5, 0.5)) == Proposal(3, 5, 0.5)
    assert ScoredVideo('v', scores, 2.0, both.intervals, both.labels).to_frames(Proposal(3, 5, 0.5))[:2] == (6, 10)


def test_search_trains_folds_and_writes_results(tmp_path):
    rng = np.random.default_rng(0)
    videos = {f'v{i}': (25.0, 120) for i in range(5)}
    actions = []
    for i in range(5):
        start = int(rng.integers(20, 90))
        actions.append(Action(f'x{i}', f'v{i}', start, start + 10, 0, 'test' if i == 4 else 'train'))
    corpus = make_corpus(tmp_path / 'c', videos, actions)
    for i in range(5):  # a feature that marks the action
        path = corpus.teacher_dir('joints') / f'v{i}.npz'
        arrays = dict(np.load(path))
        arrays['feats'] = rng.normal(0, 0.1, (120, 2, 2)).astype(np.float32)
        arrays['feats'][actions[i].start_frame : actions[i].end_frame, :, 0] += 2
        np.savez(path, **arrays)
    cfg = Config.fromfile(CONFIG)
    options = {'train_cfg.max_epochs': 12, 'default_hooks.checkpoint.interval': 12, 'optim_wrapper.optimizer.lr': 1e-2}
    cfg.merge_from_dict(options | {'model.backbone.hidden_dims': 8, 'train_dataloader.batch_size': 4})
    cfg.train_dataloader.dataset.window = cfg.model.window = 60
    cfg = adapt_config(cfg, str(corpus.root))
    result = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', num_folds=2)
    assert result['AP@0.5'] == 1
    assert result == json.loads((tmp_path / 'out/ap.json').read_text())
    (interval,) = json.loads((tmp_path / 'out/v4.json').read_text())['intervals']
    assert abs(interval['start_frame'] - actions[4].start_frame) <= 2
    assert interval['start_sec'] == pytest.approx(interval['start_frame'] / 25, abs=1e-3)
    assert len((tmp_path / 'out/v4.csv').read_text().splitlines()) == 2
    assert cv2.imread(str(tmp_path / 'out/v4.png')).std() > 5
    checkpoints = sorted((tmp_path / 'w').glob('2-folds-*/fold*/epoch_12.pth'))
    assert len(checkpoints) == 2
    with pytest.raises(UserError, match='--checkpoints needs --threshold'):
        search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', checkpoints)
    again = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'again', checkpoints, result['threshold'])
    assert again == result
