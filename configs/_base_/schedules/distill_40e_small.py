# A short training for two cores: 64 px crops, no masks.
_base_ = ['distill_1000e.py']

crop_size = 64
train_pipeline = [
    dict(type='LoadCrop'),
    dict(type='LoadFlow'),
    dict(type='ResizedCrop', size=crop_size),
    dict(type='CropColorJitter'),
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
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))

max_epochs = 40
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
default_hooks = dict(checkpoint=dict(interval=1))
