"""MS-G3D, half the published width, in mixed precision."""

_base_ = ['_base_/skeleton_small.py', '_base_/msg3d.py']

model = dict(backbone=dict(base_channels=48), cls_head=dict(in_channels=192))
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
