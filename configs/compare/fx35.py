"""FX35: the methods of the paper, and the ablation of the distillation (Table 2)."""

_base_ = ['../_base_/sports/fx35.py', '../_base_/compare_paper.py']

name = 'fx35'
title = 'FX35: floor exercise'
dataset = 'FX35'
names = dict(sport='fx35')

vpd = dict(config='configs/recognize/bigru_vpd_500e_{sport}.py')
ablation = dict(
    title='What the distillation needs',
    ks=[16, 'all'],
    methods=[
        dict(vpd, name='2D-VPD', features='features/vpd'),
        dict(vpd, name='without motion', features='features/vpd-nomotion'),
        dict(vpd, name='without flow', features='features/vpd-noflow'),
        dict(vpd, name='distilled on the frames of actions only', features='features/vpd-actions'),
    ],
)
