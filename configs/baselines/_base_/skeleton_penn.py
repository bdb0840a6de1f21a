"""Skeletons of Penn Action: hand-annotated joints."""

_base_ = ['../../_base_/sports/penn.py', 'skeleton_small.py']

data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes, poses='penn')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
