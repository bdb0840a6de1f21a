"""PoseC3D, small, in mixed precision."""

_base_ = ['_base_/skeleton_small_10e.py', '_base_/posec3d_small.py']

model = dict(cls_head=dict(type='vpd_mm.FullPrecisionI3DHead'))
train_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_train))
val_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
test_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
streams = dict(_delete_=True, joint=dict())
