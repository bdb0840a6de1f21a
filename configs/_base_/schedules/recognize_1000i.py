"""A short training on 32 frames a clip with augmented joints; the same number of steps for few and many actions."""

_base_ = ['recognize_500e.py']

max_iters = 1000
frames, velocity_scale = 32, 8.0
pack = [
    dict(type='ResampleFrames', num_frames=frames),
    dict(type='AddVelocity', scale=velocity_scale),
    dict(type='PackSequenceInputs'),
]
train_pipeline = [
    dict(type='RandomTimeCrop', max_share=0.2),
    dict(type='RandomJointAffine', angle=0.3, scale=0.15, shear=0.15, offset=0.03, noise=0.01),
    *pack,
]
# all sequences have the same length, so pools of one batch give plain shuffled batches
train_dataloader = dict(batch_sampler=dict(pool_batches=1), dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=pack))
test_dataloader = dict(dataset=dict(pipeline=pack))

train_cfg = dict(_delete_=True, type='QuickIterLoop', max_iters=max_iters, val_interval=100)
optim_wrapper = dict(optimizer=dict(lr=3e-3, weight_decay=1e-2), clip_grad=dict(max_norm=5.0))
warmup = max_iters // 7
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, begin=0, end=warmup, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=warmup, by_epoch=False),
]
custom_hooks = [dict(type='EMAHook', momentum=0.01, update_buffers=True)]
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=100, save_best='nll/log_loss', rule='less'),
    logger=dict(interval=50),
)
log_processor = dict(by_epoch=False)
paper = dict(_delete_=True)
