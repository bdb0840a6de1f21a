"""GSM, TSN's ResNet-50 with gate-shift modules: crops, whole frames or flow. Not run: no measured result."""

_base_ = ['_base_/clips.py', '_base_/gsm.py']

stacked = dict(_delete_=True, type='vpd_mm.StackedFlowBackbone', backbone=_base_.model.backbone)
streams = dict(flow=dict(model=dict(backbone=stacked)))
