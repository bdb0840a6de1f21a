"""The synthetic sport: all methods, small networks, 8 actions a class; two cores do it in two hours."""

_base_ = ['../_base_/compare_baselines.py']

name = 'synthetic'
title = 'Synthetic sport, few labels'
dataset = 'Synthetic'
corpus = 'data/synthetic'
ks = [8]
bigru = dict(group='BiGRU on features', config='configs/recognize/bigru_fast_features.py')
joints = dict(bigru, config='configs/recognize/bigru_fast.py')
nearest = dict(group='Nearest neighbour (DTW)', kind='nearest')
baselines = [*_base_.end_to_end, *_base_.skeleton]
methods = [
    *[dict(m, config=m.config.replace('.py', '_small.py')) if m.get('config') else m for m in baselines],
    dict(joints, name='2D joints + BiGRU', features='teacher/joints'),
    dict(bigru, name='2D-VPD + BiGRU', features='features/vpd'),
    dict(bigru, name='VIPE* + BiGRU', features='teacher/vipe'),
    dict(bigru, name='VI-VPD + BiGRU', features='features/vi-vpd'),
    dict(bigru, name='Concat-VPD + BiGRU', features='features/vi-vpd+features/vpd'),
    dict(nearest, name='2D joints, nearest', features='teacher/joints'),
    dict(nearest, name='2D-VPD, nearest', features='features/vpd'),
    dict(nearest, name='VIPE*, nearest', features='teacher/vipe'),
    dict(nearest, name='VI-VPD, nearest', features='features/vi-vpd'),
]
detector = dict(config='configs/detect/bigru_detector.py', options={'train_dataloader.dataset.max_videos': 5})
detection = dict(
    title='Detection in uncut videos, five of them labelled',
    methods=[
        dict(detector, name='2D joints', features='teacher/joints'),
        dict(detector, name='2D-VPD', features='features/vpd'),
    ],
)
