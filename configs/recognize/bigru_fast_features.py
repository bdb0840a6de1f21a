"""BiGRU on features and their velocities: 32 frames a clip, 1000 steps; VIPE*, or other features with --features."""

_base_ = ['../_base_/models/recognize_bigru.py', '../_base_/schedules/recognize_1000i_features.py']

vipe = dict(features='vipe')
model = dict(backbone=dict(in_dims=128), label_smoothing=0.1)
train_dataloader = dict(dataset=vipe)
val_dataloader = dict(dataset=vipe)
test_dataloader = dict(dataset=vipe)
