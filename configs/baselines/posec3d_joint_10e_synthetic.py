"""PoseC3D on joints, small, in mixed precision."""

_base_ = ['_base_/skeleton_synthetic.py', '_base_/posec3d_small.py']

model = dict(cls_head=dict(type='vpd_mm.FullPrecisionI3DHead', num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_train))
val_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
test_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
