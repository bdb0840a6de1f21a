"""MS-G3D as published; 9 scales reach from any of the 13 joints to any other (NTU RGB+D's 25 take 13)."""

_base_ = ['vpd13.py']

model = dict(
    _scope_='mmaction',
    type='RecognizerGCN',
    backbone=dict(
        type='vpd_mm.MSG3D', in_channels=2, num_gcn_scales=9, num_g3d_scales=6, graph_cfg=dict(layout=_base_.layout)
    ),
    cls_head=dict(type='vpd_mm.FullPrecisionGCNHead', num_classes=15, in_channels=384),
)
