"""BiGRU on 2D joints and their velocities: 32 frames a clip, 1000 steps; faster, and better with few clips."""

_base_ = ['../_base_/models/recognize_bigru.py', '../_base_/schedules/recognize_1000i.py']

model = dict(backbone=dict(in_dims=52), label_smoothing=0.1)
