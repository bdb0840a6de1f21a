"""resnet18_2d-vpd_40e_real with frames t-1 and t+1 as further input (not in the paper)."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

train_steps, test_steps = _base_.train_pipeline, _base_.test_pipeline
train_pipeline = [dict(type='NeighborFrames', transforms=train_steps[:-1]), train_steps[-1]]
test_pipeline = [dict(type='NeighborFrames', transforms=test_steps[:-1]), test_steps[-1]]
model = dict(student=dict(in_channels=15))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
