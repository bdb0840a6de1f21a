"""BiGRU on 2D joints and their velocities, 32 frames a clip, 1000 steps: quicker, and better with few clips."""

_base_ = [
    '../_base_/sports/penn.py',
    '../_base_/models/recognize_bigru.py',
    '../_base_/schedules/recognize_1000i.py',
]

data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes, dims=26)
model = dict(backbone=dict(in_dims=52), num_classes=_base_.num_classes, label_smoothing=0.1)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
