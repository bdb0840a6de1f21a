"""Skeletons for two cores: 32 frames a clip, as for bigru_fast; 600 steps."""

_base_ = ['skeleton.py']

frames = 32
max_epochs = 20
train_pipeline = [*_base_.augment, dict(type='ResampleFrames', num_frames=frames), *_base_.pack]
test_pipeline = [_base_.augment[0], dict(type='ResampleFrames', num_frames=frames), *_base_.pack]
train_dataloader = dict(num_workers=0, sampler=dict(num_samples=960), dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
