"""TRN multi-scale on crops of the athlete."""

_base_ = ['_base_/clips_fx35.py', '_base_/trn.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
