"""1,000,000 crops with athletes rotated before an upright background (not in the paper), an hour on one core."""

_base_ = ['resnet18_2d-vpd_40e_synthetic.py']

steps = _base_.train_pipeline
turned_pipeline = [
    *steps[:2],
    dict(type='LoadPose', poses='teacher'),
    dict(type='ResizedCrop', size=96, scale=(1.0, 1.0)),
    dict(type='AthleteRotation', prob=0.8, spin=30),
    *steps[2:],
]
max_epochs = 200
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=turned_pipeline))
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=5))
