"""The synthetic sport: all methods, small networks, 8 actions a class; two cores do it in two hours."""

_base_ = ['../_base_/sports/synthetic.py', '../_base_/compare_rivals.py']

name = 'synthetic'
title = 'Synthetic sport, few labels'
dataset = 'Synthetic'
names = dict(sport='synthetic', clips='10e', skeletons='10e')
ks = [8]
ours = dict(group='BiGRU on features')
embedded = 'configs/recognize/bigru_vipe_1000i_synthetic.py'
nearest = dict(group='Nearest neighbour (DTW)', kind='nearest')
methods = [
    *_base_.end_to_end,
    *_base_.skeleton,
    dict(ours, name='2D joints + BiGRU', config='configs/recognize/bigru_joints-velocity_1000i_synthetic.py'),
    dict(ours, name='2D-VPD + BiGRU', config='configs/recognize/bigru_vpd-velocity_1000i_synthetic.py'),
    dict(ours, name='VIPE* + BiGRU', config=embedded),
    dict(ours, name='VI-VPD + BiGRU', config=embedded, features='features/vi-vpd'),
    dict(ours, name='Concat-VPD + BiGRU', config=embedded, features='features/vi-vpd+features/vpd'),
    dict(nearest, name='2D joints, nearest', features='teacher/joints'),
    dict(nearest, name='2D-VPD, nearest', features='features/vpd'),
    dict(nearest, name='VIPE*, nearest', features='teacher/vipe'),
    dict(nearest, name='VI-VPD, nearest', features='features/vi-vpd'),
]
five_films = dict(train_dataloader=dict(dataset=dict(max_videos=5)))
detection = dict(
    title='Detection in uncut films, five of them labelled',
    methods=[
        dict(name='2D joints', config='configs/detect/bigru_joints_100e_synthetic.py', options=five_films),
        dict(name='2D-VPD', config='configs/detect/bigru_vpd_100e_synthetic.py', options=five_films),
    ],
)
