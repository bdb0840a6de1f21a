"""Diving48: the methods of the paper, and the ablation with poses turned upside down."""

_base_ = ['../_base_/sports/diving48.py', '../_base_/compare_paper.py']

name = 'diving48'
title = 'Diving48: dives'
dataset = 'Diving48'
names = dict(sport='diving48')

vpd = dict(config='configs/recognize/bigru_vpd_500e_{sport}.py')
ablation = dict(
    title='Teachers of the distillation',
    ks=[16, 'all'],
    methods=[
        dict(vpd, name='2D-VPD', features='features/vpd'),
        dict(vpd, name='VI-VPD', features='features/vi-vpd'),
        dict(vpd, name='VI-VPD, teacher also upside down', features='features/vi-inv-vpd'),
    ],
)
