"""Recogniser of the studio: bigru_fast_features, smaller, on 16 frames a clip and with fewer steps; made in seconds."""

_base_ = ['../recognize/bigru_fast_features.py']

max_iters = 200
warmup, frames = max_iters // 7, 16
pack = [
    dict(type='ResampleFrames', num_frames=frames),
    dict(type='AddVelocity', scale=_base_.velocity_scale / 2),
    dict(type='PackSequenceInputs'),
]
model = dict(backbone=dict(hidden_dims=64), hidden_dims=128)
train_dataloader = dict(dataset=dict(pipeline=[_base_.train_pipeline[0], *pack]))
val_dataloader = dict(dataset=dict(pipeline=pack))
test_dataloader = dict(dataset=dict(pipeline=pack))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=6e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, begin=0, end=warmup, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=warmup, by_epoch=False),
]
custom_hooks = [dict(type='EMAHook', momentum=0.03, update_buffers=True)]
default_hooks = dict(checkpoint=dict(interval=max_iters))
