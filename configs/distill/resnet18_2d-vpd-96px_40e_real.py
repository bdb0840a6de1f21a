"""resnet18_2d-vpd_40e_real on crops of 96 px instead of 64."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[2].size = test_pipeline[2].size = 96
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
