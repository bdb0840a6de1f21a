"""2D-VPD (d = 26) on FX35 with the protocol of the paper."""

_base_ = ['../_base_/models/distill_resnet34.py', '../_base_/schedules/distill_1000e.py']

data = dict(corpus='data/fx35')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
