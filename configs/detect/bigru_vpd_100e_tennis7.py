"""Actions of tennis7 in uncut videos, on 2D-VPD features."""

_base_ = ['bigru_joints_100e_tennis7.py']

data = dict(features='vpd', dims=26)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
