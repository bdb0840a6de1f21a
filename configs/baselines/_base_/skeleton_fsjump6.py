"""Skeletons of FSJump6."""

_base_ = ['../../_base_/sports/fsjump6.py', 'skeleton.py']

data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes, poses='release')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
