"""Ablation of the paper: distillation on frames of labeled actions only."""

_base_ = ['resnet34_2d-vpd_1000e_fx35.py']

data = dict(actions_only=True)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
