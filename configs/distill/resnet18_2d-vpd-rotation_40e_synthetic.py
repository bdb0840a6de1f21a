"""The same with crops, flow and targets turned any way: who is upside down is learnt from who stands (not in the paper)."""

_base_ = ['resnet18_2d-vpd_40e_synthetic.py']

train_pipeline = [
    dict(type='LoadCrop'),
    dict(type='LoadFlow'),
    dict(type='CropRotation', prob=0.7),
    dict(type='ResizedCrop', size=64),
    dict(type='CropColorJitter'),
    dict(type='ChiralFlip'),
    dict(type='StackFlow'),
    dict(type='PackCropInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
