"""MS-G3D, a quarter of the published width, in mixed precision."""

_base_ = ['_base_/skeleton_small_10e.py', '_base_/msg3d.py']

model = dict(backbone=dict(base_channels=24), cls_head=dict(in_channels=96))
