"""150,000 crops with several kinds of rotation, starting from resnet18_2d-vpd-turned_200e_synthetic.

With one kind of cut and unrotated upright crops, a student learns that an image without a cut is upright.
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
