"""TSN on crops of the athlete."""

_base_ = ['_base_/clips_fsjump6.py', '_base_/tsn.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
