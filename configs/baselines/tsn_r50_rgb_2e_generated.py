"""TSN with ResNet-50 of mmaction2 on a few tiny generated clips. Not run on a real data set."""

_base_ = ['mmaction::_base_/models/tsn_r50.py', '../_base_/default_runtime.py']

num_classes = 4
max_epochs = 2

model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=num_classes, dropout_ratio=0.0))

pipeline = [
    dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=3, test_mode=True),
    dict(type='mmaction.ArrayDecode'),
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs'),
]
train_dataset = dict(
    type='GeneratedActionDataset', num_clips=16, num_classes=num_classes, modality='RGB', pipeline=pipeline
)
train_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True), dataset=train_dataset
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(train_dataset, num_clips=8, seed=1, test_mode=True),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(train_dataset, num_clips=8, seed=2, test_mode=True),
)
val_evaluator = test_evaluator = dict(type='mmaction.AccMetric')

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001, momentum=0.9))
