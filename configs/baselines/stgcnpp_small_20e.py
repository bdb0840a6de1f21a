"""ST-GCN++, half the published width. Not run: no measured result."""

_base_ = ['_base_/skeleton_small.py', '_base_/stgcnpp.py']

model = dict(backbone=dict(base_channels=32), cls_head=dict(in_channels=128))
