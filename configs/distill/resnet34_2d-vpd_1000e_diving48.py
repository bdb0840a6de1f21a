"""2D-VPD (d = 26) on Diving48 with the protocol of the paper."""

_base_ = ['../_base_/models/distill_resnet34.py', '../_base_/schedules/distill_1000e.py']

data = dict(corpus='data/diving48')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
