"""The packed VIPE*: 45 minutes on one core.

Not as published: half the width, bone features, plain blocks; the 3D loss is a mean over numbers and views, not a sum;
negatives are the nearest poses of the batch, which holds mirror images; no projected views; warm-up, cosine schedule
and EMA weights.
"""

_base_ = ['vipe_fc1024_500e_synthetic.py']

max_epochs = 240
model = dict(encoder=dict(hidden_dims=512, dropout=0.0, bones=True, plain=True), decode_weight=1 / 190)
train_dataloader = dict(
    batch_size=256,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(num_samples=25600),
    dataset=dict(
        projected=0.0,
        negatives=False,
        twins=True,
        sources=[
            dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=16000, seed=0)),
            dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=16000, seed=0, varied=1.0)),
        ],
    ),
)
train_cfg = dict(max_epochs=max_epochs, val_interval=20)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
custom_hooks = [dict(type='EMAHook', momentum=0.002, update_buffers=True)]
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=2), logger=dict(interval=100))
