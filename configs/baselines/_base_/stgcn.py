"""ST-GCN of mmaction2."""

_base_ = ['vpd13.py']

model = dict(
    _scope_='mmaction',
    type='RecognizerGCN',
    backbone=dict(type='STGCN', in_channels=2, graph_cfg=dict(layout=_base_.layout, mode='stgcn_spatial')),
    cls_head=dict(type='GCNHead', num_classes=15, in_channels=256),
)
