"""PoseC3D of mmaction2: heat maps of joints. Not run: no measured result."""

_base_ = ['_base_/skeleton.py', '_base_/posec3d.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_train))
val_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
test_dataloader = dict(dataset=dict(pipeline=_base_.heatmaps_test))
streams = dict(_delete_=True, joint=dict())
