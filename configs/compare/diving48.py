"""Diving48: the methods of the paper.

VIPE* and VI-VPD have 128 numbers, of the pose and of the pose upside down (Table 1): teacher/vipe-invert
(``tools/extract_features.py vipe --invert``), and its students, configs/distill/resnet34_vi-inv-vpd_1000e_diving48.py,
as features/vi-vpd.
"""

_base_ = ['../_base_/compare_paper.py']

name = 'diving48'
title = 'Diving48: dives'
dataset = 'Diving48'
corpus = 'data/diving48'
inverted = {'teacher/vipe': 'teacher/vipe-invert'}
methods = [
    dict(m, features=inverted.get(m['features'], m['features'])) if 'features' in m else m for m in _base_.methods
]
ablation = dict(methods=[dict(m, features=inverted.get(m['features'], m['features'])) for m in _base_.ablation.methods])
