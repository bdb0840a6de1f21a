"""PoseC3D, small: half the width, one block a stage, 16 frames of 32 px. Not run: no measured result."""

_base_ = ['_base_/skeleton_small.py', '_base_/posec3d_small.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_train))
val_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
test_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
streams = dict(_delete_=True, joint=dict())
