"""resnet18_2d-vpd_40e_real with rotated athletes and crops (not in the paper), for flips without confident poses.

Training is slower to converge; train longer for more accuracy.
"""

_base_ = ['resnet18_2d-vpd_40e_real.py']

steps = _base_.train_pipeline
turned_pipeline = [
    *steps[:2],
    dict(type='LoadPose'),
    dict(type='LoadBox'),
    dict(type='ResizedCrop', size=96, scale=(1.0, 1.0)),
    dict(type='AthleteRotation', prob=0.6, spin=30, ellipses=0.5, wider=5),
    dict(type='CropRotation', prob=0.4),
    *steps[2:],
]
model = dict(test_cfg=dict(flip_test=True))
train_dataloader = dict(dataset=dict(pipeline=turned_pipeline))
