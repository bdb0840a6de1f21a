"""TRN multi-scale on crops of the athlete, small."""

_base_ = ['_base_/clips_synthetic.py', '_base_/trn.py']

model = dict(
    backbone=dict(**_base_.small_resnet, partial_bn=False),
    cls_head=dict(
        type='vpd_mm.FullPrecisionTRNHead', in_channels=256, num_classes=_base_.num_classes, dropout_ratio=0.2
    ),
)
