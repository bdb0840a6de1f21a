"""First step of the packed teacher: mmpose's heatmap head on three stages of a narrow ResNet-18, for upright poses.

Data: ``tools/make_synthetic.py generic --out data/generic --train 12000 --val 600``.  Rotation in training is limited
to 80 degrees, as in mmpose's models, so the model fails upside down, in tucks and in the motion blur of twists.
"""

_base_ = '../_base_/default_runtime.py'

custom_imports = dict(
    imports=[
        'vpd_mm.registry',
        'vpd_mm.teacher.softmax_heatmap',
        'mmpose.engine.hooks',
    ],
    allow_failed_imports=False,
)

data_mode = 'topdown'
data_root = 'data/generic/'
max_epochs = 18

codec = dict(
    type='mmpose.SoftmaxHeatmap',
    input_size=(64, 96),
    heatmap_size=(16, 24),
    sigma=1.25,
    blur_kernel_size=5,
    # Share of correct joints by raw score, on the generic validation images (tools/calibrate_teacher.py).
    score_table=[
        (0.5526, 0.4545),
        (0.7119, 0.5825),
        (0.7795, 0.7079),
        (0.816, 0.8136),
        (0.8405, 0.8497),
        (0.8589, 0.9046),
        (0.8723, 0.945),
        (0.8825, 0.957),
        (0.8911, 0.9759),
        (0.899, 0.9759),
        (0.9073, 0.9936),
        (0.9193, 0.9936),
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
    train_cfg=dict(compute_acc=False),
    test_cfg=dict(flip_test=False, shift_heatmap=False),
)

train_pipeline = [
    dict(type='mmpose.LoadImage'),
    dict(type='mmpose.GetBBoxCenterScale'),
    dict(type='mmpose.RandomFlip', direction='horizontal'),
    dict(type='mmpose.QuickBBoxTransform', shift_factor=0.1, scale_factor=(0.75, 1.25), rotate_factor=80),
    dict(type='mmpose.TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='mmdet.YOLOXHSVRandomAug'),
    dict(type='mmpose.GenerateTarget', encoder=codec),
    dict(type='mmpose.PackPoseInputs', meta_keys=('id', 'flip_indices')),
]
val_pipeline = [
    dict(type='mmpose.LoadImage'),
    dict(type='mmpose.GetBBoxCenterScale'),
    dict(type='mmpose.TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='mmpose.PackPoseInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # crops are small; transferring them from workers costs as much as making them
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
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01),
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
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='EMAHook', ema_type='mmpose.ExpMomentumEMA', momentum=0.004, gamma=200, update_buffers=True),
]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2, save_best='PCK', rule='greater'))
