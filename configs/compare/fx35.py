"""FX35: the methods of the paper, and two more ablations of the 2D student."""

_base_ = ['../_base_/compare_paper.py']

name = 'fx35'
title = 'FX35: floor exercise'
dataset = 'FX35'
corpus = 'data/fx35'
vpd = dict(config='configs/recognize/bigru.py')
ablation = dict(
    methods=[
        *_base_.ablation.methods,
        dict(vpd, name='2D-VPD, without flow', features='features/vpd-noflow'),
        dict(vpd, name='2D-VPD, frames of actions only', features='features/vpd-actions'),
    ],
)
