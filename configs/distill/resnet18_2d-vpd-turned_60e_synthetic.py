"""300,000 more crops, the athlete turned in an upright place; goes on from resnet18_2d-vpd-rotation_40e_synthetic."""

_base_ = ['resnet18_2d-vpd-rotation_40e_synthetic.py']

load_from = 'work_dirs/resnet18_2d-vpd-rotation_40e_synthetic/epoch_40.pth'
train_pipeline = [
    dict(type='LoadCrop'),
    dict(type='LoadFlow'),
    dict(type='AthleteRotation', prob=0.8),
    dict(type='ResizedCrop', size=64),
    dict(type='CropColorJitter'),
    dict(type='ChiralFlip'),
    dict(type='StackFlow'),
    dict(type='PackCropInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
max_epochs = 60
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
