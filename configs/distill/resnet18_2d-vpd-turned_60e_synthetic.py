"""300,000 more crops, the athlete turned in an upright place; goes on from resnet18_2d-vpd-rotation_40e_synthetic."""

_base_ = ['resnet18_2d-vpd_40e_synthetic.py']

load_from = 'work_dirs/resnet18_2d-vpd-rotation_40e_synthetic/epoch_40.pth'
steps = _base_.train_pipeline
turned_pipeline = [*steps[:2], dict(type='LoadBox'), dict(type='AthleteRotation', prob=0.8), *steps[2:]]
train_dataloader = dict(dataset=dict(pipeline=turned_pipeline))
max_epochs = 60
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
