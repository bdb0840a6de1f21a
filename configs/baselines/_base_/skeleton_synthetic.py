"""Skeletons of the synthetic sport, as the weak teacher sees them."""

_base_ = ['../../_base_/sports/synthetic.py', 'skeleton_small.py']

data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes, poses='teacher')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
