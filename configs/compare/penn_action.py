"""Penn Action: methods on real 2D joints, with few clips or all."""

_base_ = ['../_base_/compare_baselines.py']

name = 'penn'
title = 'Penn Action: hand-annotated 2D joints'
dataset = 'Penn Action'
corpus = 'data/penn'
joints = dict(group='Normalised 2D joints', features='teacher/joints')
methods = [
    # networks of half the width, 20 epochs
    *[dict(m, config=m.config.replace('.py', '_small_20e.py')) if m.get('config') else m for m in _base_.skeleton],
    dict(
        joints,
        name='2D joints + BiGRU',
        config='configs/recognize/bigru_fast.py',
        config_all='configs/recognize/bigru_fast_2000i.py',
    ),
    dict(
        name='VIPE* + BiGRU', group='VIPE*', config='configs/recognize/bigru_fast_features.py', features='teacher/vipe'
    ),
    dict(joints, name='2D joints, nearest neighbour', kind='nearest'),
]
