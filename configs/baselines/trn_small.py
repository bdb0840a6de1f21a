"""TRN multi-scale, small: a ResNet-18 of three stages from scratch on 64 px, for two cores."""

_base_ = ['_base_/clips_small.py', 'mmaction::_base_/models/trn_r50.py']

model = dict(
    backbone=dict(**_base_.small_resnet, partial_bn=False),
    cls_head=dict(type='vpd_mm.FullPrecisionTRNHead', in_channels=256, dropout_ratio=0.2),
)
streams = dict(flow=dict(model=dict(backbone=dict(in_channels=10))))
