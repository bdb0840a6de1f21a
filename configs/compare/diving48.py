"""Diving48: the methods of the paper; VIPE* is that of ``vipe --invert --out vipe`` (d = 128)."""

_base_ = ['../_base_/compare_paper.py']

name = 'diving48'
title = 'Diving48: dives'
dataset = 'Diving48'
corpus = 'data/diving48'
