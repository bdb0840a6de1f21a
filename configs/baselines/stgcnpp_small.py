"""ST-GCN++, half the published width, in mixed precision."""

_base_ = ['_base_/skeleton_small_10e.py', '_base_/stgcnpp.py']

model = dict(backbone=dict(base_channels=32), cls_head=dict(type='vpd_mm.FullPrecisionGCNHead', in_channels=128))
