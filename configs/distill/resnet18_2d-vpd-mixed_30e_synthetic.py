"""150,000 more crops, turned in several ways at once; goes on from resnet18_2d-vpd-turned_200e_synthetic.

One kind of cut, and crops that are left as they are and show who stands, teach a student "uncut means upright".
"""

_base_ = ['resnet18_2d-vpd-turned_200e_synthetic.py']

load_from = 'work_dirs/resnet18_2d-vpd-turned_200e_synthetic/epoch_200.pth'
steps = _base_.turned_pipeline
mixed_pipeline = [
    *steps[:3],
    dict(type='LoadBox'),
    steps[3],
    dict(type='AthleteRotation', prob=0.9, spin=30, ellipses=0.5, wider=5),
    dict(type='CropRotation', prob=0.5),
    *steps[5:],
]
max_epochs = 30
train_dataloader = dict(num_workers=1, persistent_workers=True, dataset=dict(pipeline=mixed_pipeline))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
