"""Ablation of the paper: without decoder, the target is the pose only."""

_base_ = ['resnet34_2d-vpd_1000e_fx35.py']

model = dict(decoder=None)
data = dict(motion=False)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
