"""Diving48: the methods of the paper; VIPE* is that of ``vipe --invert --out vipe`` (d = 128)."""

_base_ = ['../_base_/compare_paper.py']

name = 'diving48'
title = 'Diving48: dives'
dataset = 'Diving48'
corpus = 'data/diving48'
full = dict(config_all='configs/recognize/bigru_200e.py')
methods = [dict(m, **full) if m.get('config') == _base_.bigru.config else m for m in _base_.methods]
ablation = dict(methods=[dict(m, **full) for m in _base_.ablation.methods])
