"""Penn Action: what is learnt from real 2D joints, few clips or all."""

_base_ = ['../_base_/sports/penn.py', '../_base_/compare.py']

name = 'penn'
title = 'Penn Action: skeleton methods on hand-annotated 2D joints'
dataset = 'Penn Action'
ks = [16, 'all']
methods = [
    dict(
        name='2D joints + BiGRU',
        group='Features of this project',
        config='configs/recognize/bigru_joints-velocity_1000i_penn.py',
        config_all='configs/recognize/bigru_joints-velocity_2000i_penn.py',
    ),
    dict(
        name='2D joints, nearest neighbour',
        kind='nearest',
        group='Features of this project',
        features='teacher/joints',
    ),
]
