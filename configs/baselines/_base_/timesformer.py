"""TimeSformer of mmaction2, divided attention, ViT-B/16 from ImageNet: 8 frames of 224 px."""

model = dict(
    _scope_='mmaction',
    type='Recognizer3D',
    backbone=dict(
        type='TimeSformer',
        pretrained='https://download.openmmlab.com/mmaction/recognition/timesformer/vit_base_patch16_224.pth',
        num_frames=8,
        img_size=224,
        patch_size=16,
        embed_dims=768,
        in_channels=3,
        dropout_ratio=0.0,
        attention_type='divided_space_time',
        norm_cfg=dict(type='LN', eps=1e-6),
    ),
    cls_head=dict(type='TimeSformerHead', num_classes=15, in_channels=768, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW',
    ),
)
volume = [
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackActionInputs', meta_keys=('action_id',)),
]
volume_train = [
    dict(type='mmaction.UniformSample', clip_len=8),
    dict(type='LoadClip', flow_stack=5),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='ClipFlip'),
    *volume,
]
volume_test = [
    dict(type='mmaction.UniformSample', clip_len=8, test_mode=True),
    dict(type='LoadClip', flow_stack=5),
    dict(type='mmaction.Resize', scale=(-1, 224)),
    dict(type='mmaction.CenterCrop', crop_size=224),
    *volume,
]
