"""ST-GCN++ of mmaction2."""

_base_ = ['stgcn.py']

model = dict(
    backbone=dict(
        gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn', graph_cfg=dict(layout=_base_.layout, mode='spatial')
    )
)
