"""Diving48: the methods of the paper, and the ablation with poses turned upside down."""

_base_ = ['../_base_/compare_paper.py']

name = 'diving48'
title = 'Diving48: dives'
dataset = 'Diving48'
corpus = 'data/diving48'
upside_down = dict(
    name='VI-VPD, teacher also upside down', config='configs/recognize/bigru.py', features='features/vi-inv-vpd'
)
ablation = dict(methods=[*_base_.ablation.methods, upside_down])
