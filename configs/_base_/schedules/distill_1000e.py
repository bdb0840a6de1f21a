# The paper's training: 20,000 draws an epoch, batch 100, 1000 epochs, AdamW 5e-4, mixed precision.

_base_ = ['../default_runtime.py']

crop_size = 128

train_pipeline = [
    dict(type='LoadCrop'),
    dict(type='LoadFlow'),
    dict(type='CropColorJitter'),
    dict(type='BackgroundNoise'),
    dict(type='ResizedCrop', size=crop_size),
    dict(type='ChiralFlip'),
    dict(type='StackFlow'),
    dict(type='PackCropInputs'),
]
test_pipeline = [
    dict(type='LoadCrop'),
    dict(type='LoadFlow'),
    dict(type='ResizedCrop', size=crop_size, scale=(1.0, 1.0)),
    dict(type='StackFlow'),
    dict(type='PackCropInputs'),
]

train_dataloader = dict(
    batch_size=100,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='EpochDrawSampler', num_samples=20000),
    collate_fn=dict(type='vpd_mm.collate_crops'),
    dataset=dict(type='CropDataset', subset='train', teacher='joints', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    collate_fn=dict(type='vpd_mm.collate_crops'),
    dataset=dict(type='CropDataset', subset='val', teacher='joints', pipeline=test_pipeline, max_frames=20000),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], max_frames=None))

val_evaluator = dict(type='DistillMetric')
test_evaluator = dict(type='DistillMetric')

train_cfg = dict(by_epoch=True, max_epochs=1000, val_interval=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(type='AmpOptimWrapper', optimizer=dict(type='AdamW', lr=5e-4))
custom_hooks = [dict(type='SmoothMetricHook', key='distill/sq_error', window=5)]
default_hooks = dict(
    checkpoint=dict(interval=10, save_best='distill/sq_error_mean', rule='less'), logger=dict(interval=50)
)
auto_scale_lr = dict(enable=False, base_batch_size=100)
