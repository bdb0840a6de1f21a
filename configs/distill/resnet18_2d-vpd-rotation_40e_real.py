"""As resnet18_2d-vpd_40e_real, with turned crops: for a film in which the athlete is upside down where it counts."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

pipeline = [
    dict(type='LoadCrop'),
    dict(type='LoadFlow'),
    dict(type='CropRotation'),
    dict(type='ResizedCrop', size=64),
    dict(type='CropColorJitter'),
    dict(type='ChiralFlip'),
    dict(type='StackFlow'),
    dict(type='PackCropInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
