"""A small ST-GCN of mmaction2 on generated stick figures, to check an installation. Not run on a real data set."""

_base_ = ['../_base_/default_runtime.py']

num_classes = 4
max_epochs = 8

model = dict(
    # The scope also resolves the model's defaults (data preprocessor, loss).
    _scope_='mmaction',
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN',
        graph_cfg=dict(layout='coco', mode='stgcn_spatial'),
        base_channels=16,
        num_stages=4,
        inflate_stages=[3],
        down_stages=[3],
    ),
    cls_head=dict(type='GCNHead', num_classes=num_classes, in_channels=32),
)

pipeline = [
    dict(type='mmaction.PreNormalize2D'),
    dict(type='mmaction.GenSkeFeat', dataset='coco', feats=['j']),
    dict(type='mmaction.UniformSampleFrames', clip_len=32, test_mode=True, num_clips=1),
    dict(type='mmaction.PoseDecode'),
    dict(type='mmaction.FormatGCNInput', num_person=1),
    dict(type='mmaction.PackActionInputs'),
]
train_dataset = dict(type='GeneratedActionDataset', num_clips=128, num_classes=num_classes, pipeline=pipeline)

train_dataloader = dict(
    batch_size=16, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True), dataset=train_dataset
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(train_dataset, num_clips=64, seed=1, test_mode=True),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(train_dataset, num_clips=64, seed=2, test_mode=True),
)
val_evaluator = test_evaluator = dict(type='mmaction.AccMetric', metric_list=('top_k_accuracy', 'mean_class_accuracy'))

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3, weight_decay=1e-3))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
auto_scale_lr = dict(enable=False, base_batch_size=16)
