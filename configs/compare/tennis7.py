"""Tennis7: the methods of the paper, and the detection of swings (Table 4)."""

_base_ = ['../_base_/compare_paper.py']

name = 'tennis7'
title = 'Tennis7: tennis swings'
dataset = 'Tennis7'
corpus = 'data/tennis7'
detection = _base_.five_videos
