"""2D-VPD (d = 26) on Tennis7 with the protocol of the paper."""

_base_ = ['../_base_/models/distill_resnet34.py', '../_base_/schedules/distill_1000e.py']

# The gate for tennis (paper, supplement).
data = dict(corpus='data/tennis7', min_score=0.7)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
val_evaluator = dict(min_score=0.7)
test_evaluator = dict(min_score=0.7)
