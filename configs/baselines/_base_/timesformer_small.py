"""TimeSformer for two cores: four narrow layers on 64 px, from scratch."""

_base_ = ['timesformer.py']

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
