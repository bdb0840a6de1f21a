"""Clips of the synthetic sport."""

_base_ = ['../../_base_/sports/synthetic.py', 'clips_small.py']

data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
