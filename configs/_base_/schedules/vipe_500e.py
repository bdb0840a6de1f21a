# The published training of VIPE*: AdamW 1e-4, batch 100, 500 epochs of 50,000 draws; half of the views projected; one
# negative of the same sequence.  Configs set the data sets and model.skeletons.

_base_ = ['../default_runtime.py']

# Stands for the 2D poses of an estimator in the rendered or recorded views of the published data.
noise = dict(jitter=(0.0, 0.08), score=(0.3, 1.0), confident=0.2, drop=0.05)

train_dataloader = dict(
    batch_size=100,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='EpochDrawSampler', num_samples=50000),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='MultiViewPoseDataset', num_views=2, noise=noise, projected=0.5, negatives=True),
)
# Unseen athletes, motions and cameras; joint noise of an estimator (5 % of the trunk), some joints lost.
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='MultiViewPoseDataset',
        num_views=4,
        noise=dict(jitter=(0.05, 0.05), score=(0.8, 1.0), confident=0.0, drop=0.02),
        seed=7,
    ),
)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='ViewRetrievalMetric')

max_epochs = 500
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
val_cfg = test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4))
default_hooks = dict(checkpoint=dict(interval=10, save_best='view/hit@1', rule='greater'), logger=dict(interval=50))
auto_scale_lr = dict(enable=False, base_batch_size=100)
