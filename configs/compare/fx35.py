"""FX35: the methods of the paper."""

_base_ = ['../_base_/compare_paper.py']

name = 'fx35'
title = 'FX35: floor exercise'
dataset = 'FX35'
corpus = 'data/fx35'
