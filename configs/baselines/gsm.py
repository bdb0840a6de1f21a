"""GSM, TSN's ResNet-50 with gate-shift modules: crops, whole frames or flow. Not run."""

_base_ = ['_base_/clips.py', '_base_/gsm.py']

streams = dict(flow=dict(model=dict(backbone=dict(backbone=dict(in_channels=10)))))
