"""PoseC3D on joints, small."""

_base_ = ['_base_/skeleton_penn.py', '_base_/posec3d_small.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_train))
val_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
test_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
