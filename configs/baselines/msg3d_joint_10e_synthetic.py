"""MS-G3D on joints, a quarter of the published width, in mixed precision."""

_base_ = ['_base_/skeleton_synthetic.py', '_base_/msg3d.py']

model = dict(backbone=dict(base_channels=24), cls_head=dict(in_channels=96, num_classes=_base_.num_classes))
