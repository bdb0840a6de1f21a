"""TimeSformer of mmaction2, divided attention, ViT-B/16 from ImageNet, 224 px: crops, whole frames or flow.

Not run: no measured result.
"""

_base_ = ['_base_/clips.py', '_base_/timesformer.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.volume_train))
val_dataloader = dict(dataset=dict(pipeline=_base_.volume_test))
test_dataloader = dict(dataset=dict(pipeline=_base_.volume_test))
stacked = dict(_delete_=True, type='vpd_mm.StackedFlowBackbone', backbone=_base_.model.backbone)
streams = dict(
    frame=dict(
        train_dataloader=dict(dataset=dict(pipeline=_base_.volume_train)),
        val_dataloader=dict(dataset=dict(pipeline=_base_.volume_test)),
        test_dataloader=dict(dataset=dict(pipeline=_base_.volume_test)),
    ),
    flow=dict(model=dict(backbone=stacked)),
)
