"""MS-G3D on joints."""

_base_ = ['_base_/skeleton_tennis7.py', '_base_/msg3d.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
