"""TSN on crops of the athlete, small."""

_base_ = ['_base_/clips_synthetic.py', '_base_/tsn.py']

model = dict(
    backbone=_base_.small_resnet,
    cls_head=dict(
        type='vpd_mm.FullPrecisionTSNHead', in_channels=256, num_classes=_base_.num_classes, dropout_ratio=0.2
    ),
)
