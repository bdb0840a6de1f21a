"""BiGRU on VIPE*, or what --features of tools/fewshot.py names, and velocities, 32 frames a clip, 1000 steps."""

_base_ = [
    '../_base_/sports/synthetic.py',
    '../_base_/models/recognize_bigru.py',
    '../_base_/schedules/recognize_1000i_features.py',
]

data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes, features='vipe', dims=64)
model = dict(backbone=dict(in_dims=128), num_classes=_base_.num_classes, label_smoothing=0.1)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
