"""First step of the packed person detector: mmdet's RTMDet at half the width of tiny, on everyday scenes.

Data: ``tools/make_synthetic.py generic --out data/generic-public --public --train 12000 --val 400``: boards and
spectators stand behind the people.  Images are rotated, stretched and blurred at random, so that athletes in the air
are detected.
"""

_base_ = '../_base_/default_runtime.py'

custom_imports = dict(
    imports=['vpd_mm.registry', 'vpd_mm.athlete.detection_transforms'],
    allow_failed_imports=False,
)

data_root = 'data/generic-public/'
classes = ('person',)
size = (192, 192)
crop = (160, 160)  # trained on crops, which is cheaper; the network accepts any size
max_epochs = 24

norm = dict(type='BN')
act = dict(type='SiLU', inplace=True)
model = dict(
    type='RTMDet',
    _scope_='mmdet',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False
    ),
    backbone=dict(
        type='CSPNeXt',
        arch='P5',
        expand_ratio=0.5,
        deepen_factor=0.167,
        widen_factor=0.1875,
        channel_attention=True,
        norm_cfg=norm,
        act_cfg=act,
    ),
    neck=dict(
        type='CSPNeXtPAFPN',
        in_channels=[48, 96, 192],
        out_channels=48,
        num_csp_blocks=1,
        expand_ratio=0.5,
        norm_cfg=norm,
        act_cfg=act,
    ),
    bbox_head=dict(
        type='RTMDetSepBNHead',
        num_classes=1,
        in_channels=48,
        stacked_convs=2,
        feat_channels=48,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        with_objectness=False,
        exp_on_reg=False,
        share_conv=True,
        pred_kernel_size=1,
        norm_cfg=norm,
        act_cfg=act,
    ),
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13), allowed_border=-1, pos_weight=-1, debug=False
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.6), max_per_img=50
    ),
)

grey = dict(img=(114, 114, 114))
train_pipeline = [
    dict(type='mmdet.LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.RandomResize', scale=size, ratio_range=(0.65, 1.15), keep_ratio=True, resize_type='mmdet.Resize'),
    dict(type='mmdet.Tilt', prob=0.3),
    dict(type='mmdet.Stretch', prob=0.5),
    dict(type='mmdet.RandomCrop', crop_size=crop),
    dict(type='mmdet.YOLOXHSVRandomAug'),
    dict(type='mmdet.QuarterTurn', prob=0.3),
    dict(type='mmdet.MotionBlur', prob=0.3),
    dict(type='mmdet.RandomFlip', prob=[0.4, 0.1, 0.1], direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='mmdet.Pad', size=crop, pad_val=grey),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='mmdet.LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=size, keep_ratio=True),
    dict(type='mmdet.Pad', size=size, pad_val=grey),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances'),
    ),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmdet.CocoDataset',
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file='annotations/person_train.json',
        data_prefix=dict(img='images/'),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdet.CocoDataset',
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file='annotations/person_val.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='mmdet.CocoMetric', metric='bbox')

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=60),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-5,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='EMAHook', ema_type='mmdet.ExpMomentumEMA', momentum=0.002, gamma=200, update_buffers=True, priority=49),
]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2, save_best=None))
