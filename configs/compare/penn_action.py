"""Penn Action: what is learnt from real 2D joints, few clips or all."""

_base_ = ['../_base_/sports/penn.py', '../_base_/compare_rivals.py']

name = 'penn'
title = 'Penn Action: hand-annotated 2D joints'
dataset = 'Penn Action'
names = dict(sport='penn', skeletons='20e')
ks = [16, 'all']
methods = [
    *_base_.skeleton,
    dict(
        name='2D joints + BiGRU',
        group='Normalised 2D joints',
        config='configs/recognize/bigru_joints-velocity_1000i_penn.py',
        config_all='configs/recognize/bigru_joints-velocity_2000i_penn.py',
    ),
    dict(name='VIPE* + BiGRU', group='VIPE*', config='configs/recognize/bigru_vipe_1000i_penn.py'),
    dict(name='2D joints, nearest neighbour', group='Normalised 2D joints', kind='nearest', features='teacher/joints'),
]
