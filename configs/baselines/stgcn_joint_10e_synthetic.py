"""ST-GCN on joints, half the published width, in mixed precision."""

_base_ = ['_base_/skeleton_synthetic.py', '_base_/stgcn.py']

head = dict(type='vpd_mm.FullPrecisionGCNHead', in_channels=128, num_classes=_base_.num_classes)
model = dict(backbone=dict(base_channels=32), cls_head=head)
