"""FSJump6: the methods of the paper, and the detection of jumps (Table 4)."""

_base_ = ['../_base_/compare_paper.py']

name = 'fsjump6'
title = 'FSJump6: figure skating jumps'
dataset = 'FSJump6'
corpus = 'data/fsjump6'
detection = _base_.five_videos
