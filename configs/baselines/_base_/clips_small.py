"""End-to-end networks for two cores: 64 px, 150 steps in mixed precision, a ResNet-18 of three stages from scratch."""

_base_ = ['clips.py']

max_epochs = 10
small_pipeline = [
    *_base_.train_pipeline[:3],
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    *_base_.train_pipeline[4:],
]
small_test = [
    *_base_.test_pipeline[:2],
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    *_base_.pack,
]
train_dataloader = dict(num_workers=0, sampler=dict(num_samples=240), dataset=dict(pipeline=small_pipeline))
val_dataloader = dict(num_workers=0, dataset=dict(pipeline=small_test))
test_dataloader = dict(num_workers=0, dataset=dict(pipeline=small_test))
streams = dict(
    frame=dict(
        train_dataloader=dict(dataset=dict(pipeline=small_pipeline)),
        val_dataloader=dict(dataset=dict(pipeline=small_test)),
        test_dataloader=dict(dataset=dict(pipeline=small_test)),
    )
)
small_resnet = dict(depth=18, num_stages=3, strides=(2, 2, 2), dilations=(1, 1, 1), out_indices=(2,), pretrained=None)
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=1e-2),
)
custom_hooks = [dict(type='ChannelsLastHook')]
