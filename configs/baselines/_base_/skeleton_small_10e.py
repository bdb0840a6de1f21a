"""Skeletons for two cores: 300 steps in mixed precision."""

_base_ = ['skeleton_small.py']

max_epochs = 10
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
