"""Actions of tennis7 in uncut videos, on 2D joints."""

_base_ = [
    '../_base_/sports/tennis7.py',
    '../_base_/models/detect_bigru.py',
    '../_base_/schedules/detect_100e.py',
]

data = dict(corpus=_base_.corpus, dims=26, widen=_base_.widen)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
