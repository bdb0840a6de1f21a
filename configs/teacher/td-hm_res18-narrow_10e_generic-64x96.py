"""The embedded teacher: mmpose's heatmap head on three stages of a narrow ResNet-18, for everyday upright poses.

Data: ``tools/demo.py make-generic --out data/generic --train 5000 --val 500``.  It sees people upright only (rotations
up to 15 degrees), so that it fails on flips as off-the-shelf teachers do.
"""

_base_ = '../_base_/default_runtime.py'

custom_imports = dict(
    imports=['vpd_mm.registry', 'vpd_mm.teacher.softmax_heatmap', 'mmpose.engine.hooks'], allow_failed_imports=False
)

data_mode = 'topdown'
data_root = 'data/generic/'
max_epochs = 10

codec = dict(
    type='mmpose.SoftmaxHeatmap',
    input_size=(64, 96),
    heatmap_size=(16, 24),
    sigma=1.25,
    blur_kernel_size=5,
    # How often joints are right by what the heatmap says, on the generic val pictures (tools/calibrate_teacher.py).
    score_table=[
        (0.4056, 0.3207),
        (0.4814, 0.4057),
        (0.5338, 0.4057),
        (0.5936, 0.4057),
        (0.6574, 0.4057),
        (0.7166, 0.4342),
        (0.7689, 0.5278),
        (0.8077, 0.6142),
        (0.8365, 0.7253),
        (0.86, 0.821),
        (0.8805, 0.9105),
        (0.9085, 0.964),
    ],
)
model = dict(
    type='TopdownPoseEstimator',
    _scope_='mmpose',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=32,
        base_channels=32,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    head=dict(
        type='HeatmapHead',
        in_channels=128,
        out_channels=17,
        deconv_out_channels=(64, 64),
        deconv_kernel_sizes=(4, 4),
        loss=dict(type='SoftmaxHeatmapLoss'),
        decoder=codec,
    ),
    test_cfg=dict(flip_test=False, shift_heatmap=False),
)

train_pipeline = [
    dict(type='mmpose.LoadImage'),
    dict(type='mmpose.GetBBoxCenterScale'),
    dict(type='mmpose.RandomFlip', direction='horizontal'),
    dict(type='mmpose.RandomBBoxTransform', shift_factor=0.1, scale_factor=(0.75, 1.25), rotate_factor=15),
    dict(type='mmpose.TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='mmdet.YOLOXHSVRandomAug'),
    dict(type='mmpose.GenerateTarget', encoder=codec),
    dict(type='mmpose.PackPoseInputs'),
]
val_pipeline = [
    dict(type='mmpose.LoadImage'),
    dict(type='mmpose.GetBBoxCenterScale'),
    dict(type='mmpose.TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='mmpose.PackPoseInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmpose.CocoDataset',
        data_root=data_root,
        data_mode=data_mode,
        ann_file='annotations/person_train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='mmpose.CocoDataset',
        data_root=data_root,
        data_mode=data_mode,
        ann_file='annotations/person_val.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
# A twentieth of the box is about a fifth of the torso of an upright person.
val_evaluator = test_evaluator = dict(type='mmpose.PCKAccuracy', thr=0.05, norm_item='bbox')

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=60),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
custom_hooks = [dict(type='EMAHook', ema_type='mmpose.ExpMomentumEMA', momentum=0.005, gamma=200, update_buffers=True)]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2, save_best='PCK', rule='greater'))
