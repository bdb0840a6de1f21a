"""ST-GCN++ on joints, half the published width."""

_base_ = ['_base_/skeleton_synthetic.py', '_base_/stgcnpp.py']

model = dict(backbone=dict(base_channels=32), cls_head=dict(in_channels=128, num_classes=_base_.num_classes))
