"""TimeSformer, small: four narrow layers from scratch on 64 px, for two cores."""

_base_ = ['_base_/clips_small.py', '_base_/timesformer.py']

model = dict(
    backbone=dict(pretrained=None, img_size=64, embed_dims=128, num_heads=4, num_transformer_layers=4),
    cls_head=dict(type='vpd_mm.FullPrecisionTimeSformerHead', in_channels=128),
)
volume_train = [
    *_base_.volume_train[:3],
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    *_base_.volume_train[4:],
]
volume_test = [
    *_base_.volume_test[:2],
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    *_base_.volume,
]
train_dataloader = dict(dataset=dict(pipeline=volume_train))
val_dataloader = dict(dataset=dict(pipeline=volume_test))
test_dataloader = dict(dataset=dict(pipeline=volume_test))
streams = dict(
    frame=dict(
        train_dataloader=dict(dataset=dict(pipeline=volume_train)),
        val_dataloader=dict(dataset=dict(pipeline=volume_test)),
        test_dataloader=dict(dataset=dict(pipeline=volume_test)),
    ),
    flow=dict(model=dict(backbone=dict(in_channels=10))),
)
