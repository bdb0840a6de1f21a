"""MS-G3D on joints, half the published width, in mixed precision."""

_base_ = ['_base_/skeleton_penn.py', '_base_/msg3d.py']

model = dict(backbone=dict(base_channels=48), cls_head=dict(in_channels=192, num_classes=_base_.num_classes))
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
