"""bigru_fast with twice the steps, for the whole training split."""

_base_ = ['bigru_fast.py']

max_iters = 2000
warmup = max_iters // 7
train_cfg = dict(max_iters=max_iters, val_interval=200)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, begin=0, end=warmup, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=warmup, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=200))
