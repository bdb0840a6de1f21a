"""ST-GCN++ on joints."""

_base_ = ['_base_/skeleton_fx35.py', '_base_/stgcnpp.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
