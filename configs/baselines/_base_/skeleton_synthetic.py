"""Skeletons of the synthetic sport, as the weak teacher sees them; 300 steps in mixed precision."""

_base_ = ['../../_base_/sports/synthetic.py', 'skeleton_small.py']

max_epochs = 10
data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes, poses='teacher')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], T_max=max_epochs - _base_.warmup, end=max_epochs),
]
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
