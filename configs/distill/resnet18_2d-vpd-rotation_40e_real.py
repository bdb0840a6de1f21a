"""resnet18_2d-vpd_40e_real with rotated crops, for videos with inverted athletes (not in the paper)."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

steps = _base_.train_pipeline
turned_pipeline = [*steps[:2], dict(type='CropRotation'), *steps[2:]]
train_dataloader = dict(dataset=dict(pipeline=turned_pipeline))
