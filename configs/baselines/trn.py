"""TRN multi-scale of mmaction2, ResNet-50 from ImageNet: crops, whole frames or flow. Not run: no measured result."""

_base_ = ['_base_/clips.py', 'mmaction::_base_/models/trn_r50.py']

stacked = dict(_delete_=True, type='vpd_mm.StackedFlowBackbone', backbone=_base_.model.backbone)
streams = dict(flow=dict(model=dict(backbone=stacked)))
