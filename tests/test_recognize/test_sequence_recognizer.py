"""SequenceRecognizer: size, views, loss, training; LogLoss and ConfusionImage."""

import cv2
import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric
from mmaction.structures import ActionDataSample

from vpd_mm.recognize import ConfusionImage, LogLoss, SequenceRecognizer, confusion_matrix, mean_log_loss


def build(classes=3, dims=4, **kwargs):
    torch.manual_seed(0)
    return SequenceRecognizer({'type': 'vpd_mm.BiGRU', 'in_dims': dims, 'hidden_dims': 16}, classes, 8, **kwargs)


def samples(labels):
    return [ActionDataSample().set_gt_label(int(label)) for label in labels]


def test_published_number_of_parameters():
    model = SequenceRecognizer({'type': 'vpd_mm.BiGRU', 'in_dims': 26}, 15)
    assert sum(p.numel() for p in model.parameters()) == 486_927


def test_predict_averages_the_softmax_of_the_views():
    model = build().eval()
    inputs = [torch.randn(2, 6, 4), torch.randn(1, 3, 4), torch.randn(2, 9, 4)]
    out = model.test_step({'inputs': inputs, 'data_samples': samples([0, 1, 2])})
    for views, sample in zip(inputs, out, strict=True):
        single = [
            model.test_step({'inputs': [view[None]], 'data_samples': samples([0])})[0].pred_score for view in views
        ]
        torch.testing.assert_close(sample.pred_score, torch.stack(single).mean(0), atol=1e-6, rtol=1e-5)
        assert sample.pred_score.sum() == pytest.approx(1, abs=1e-5)
        assert int(sample.pred_label) == int(sample.pred_score.argmax())


def test_loss_is_over_all_views():
    model = build().eval()
    inputs = [torch.randn(2, 6, 4), torch.randn(1, 3, 4)]
    data = model.data_preprocessor({'inputs': inputs, 'data_samples': samples([2, 1])})
    logits = model(**data, mode='tensor')
    loss = model(**data, mode='loss')['loss_cls']
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([2, 2, 1]))
    torch.testing.assert_close(loss, expected)


def test_learns_the_order_of_frames():
    model = build(classes=2, dropout=0.1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    rng = np.random.default_rng(0)
    for _ in range(60):
        labels = rng.integers(0, 2, 16)
        feats = [torch.randn(1, int(rng.integers(8, 14)), 4) * 0.1 for _ in labels]
        for feat, label in zip(feats, labels, strict=True):
            first, last = (0, -1) if label else (-1, 0)
            feat[0, first, 0] += 2
            feat[0, last, 0] -= 2
        losses = model(**model.data_preprocessor({'inputs': feats, 'data_samples': samples(labels)}, True), mode='loss')
        optimizer.zero_grad()
        losses['loss_cls'].backward()
        optimizer.step()
    out = model.eval().test_step({'inputs': feats, 'data_samples': samples(labels)})
    assert [int(s.pred_label) for s in out] == labels.tolist()


def test_metrics_on_predicted_samples(tmp_path):
    model = build().eval()
    out = model.test_step({'inputs': list(torch.randn(6, 2, 5, 4)), 'data_samples': samples([0, 1, 2, 0, 1, 2])})
    ground_truth = np.array([0, 1, 2, 0, 1, 2])
    scores = np.stack([s.pred_score.numpy() for s in out])
    dicts = [s.to_dict() for s in out]
    accuracy = AccMetric(metric_options=dict(top_k_accuracy=dict(topk=(1, 2))))
    accuracy.process({}, dicts)
    assert accuracy.evaluate(6)['acc/top1'] == pytest.approx((scores.argmax(1) == ground_truth).mean())
    loss = LogLoss()
    loss.process({}, dicts)
    assert loss.evaluate(6)['nll/log_loss'] == pytest.approx(mean_log_loss(scores, ground_truth))
    metric = ConfusionImage(str(tmp_path / 'confusion.png'))
    metric.dataset_meta = {'classes': ['a', 'b', 'c']}
    metric.process({}, dicts)
    assert metric.evaluate(6) == {}
    assert cv2.imread(str(tmp_path / 'confusion.png')).std() > 5


def test_confusion_rows_are_true_classes():
    assert confusion_matrix([1, 1, 0], [0, 0, 2], 3).tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]
    assert mean_log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])) == pytest.approx(
        (np.log(2) + np.log(4 / 3)) / 2
    )
