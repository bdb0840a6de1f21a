"""300,000 crops, the athlete turned and spun (not in the paper); VIPE* embeds the turned pose: half an hour."""

_base_ = ['resnet18_vi-vpd_40e_synthetic.py']

vipe = dict(
    type='TurnedVipe',
    config='configs/teacher/vipe_fc512_240e_synthetic.py',
    checkpoint='vpd_mm/synthetic/checkpoints/vipe_fc512_240e_synthetic.pth',
)
steps = _base_.train_pipeline
turned_pipeline = [
    *steps[:2],
    dict(type='LoadPose', poses='teacher'),
    dict(type='ResizedCrop', size=96, scale=(1.0, 1.0)),
    dict(type='AthleteRotation', prob=0.8, spin=30, targets=vipe),
    *steps[2:],
]
max_epochs = 60
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=turned_pipeline))
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
param_scheduler = dict(T_max=max_epochs)
default_hooks = dict(checkpoint=dict(interval=5))
