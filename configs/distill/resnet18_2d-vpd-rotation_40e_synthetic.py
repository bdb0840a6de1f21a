"""resnet18_2d-vpd_40e_synthetic with rotated crops, flow and targets (not in the paper)."""

_base_ = ['resnet18_2d-vpd_40e_synthetic.py']

steps = _base_.train_pipeline
turned_pipeline = [*steps[:2], dict(type='CropRotation', prob=0.7), *steps[2:]]
train_dataloader = dict(dataset=dict(pipeline=turned_pipeline))
