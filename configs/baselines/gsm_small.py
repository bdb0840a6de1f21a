"""GSM, small: a ResNet-18 of three stages from scratch on 64 px, for two cores."""

_base_ = ['_base_/clips_small.py', '_base_/gsm.py']

model = dict(
    backbone=dict(backbone=_base_.small_resnet),
    cls_head=dict(type='vpd_mm.FullPrecisionTSNHead', in_channels=256, dropout_ratio=0.2),
)
streams = dict(flow=dict(model=dict(backbone=dict(backbone=dict(in_channels=10)))))
