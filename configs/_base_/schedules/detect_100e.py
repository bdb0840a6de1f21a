"""Training of a frame scorer: windows of 250 frames that cover the videos once an epoch."""

_base_ = ['../default_runtime.py']

max_epochs = 100
# None: from the corpus (--corpus DIR), like dims and the model's in_dims
from_corpus = dict(corpus=None, widen=None)
dataset = dict(type='FeatureWindowDataset', **from_corpus, features='joints', window=250)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='LengthBatchSampler', pool_batches=1),
    dataset=dict(**dataset, split='train'),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, split='val', test_mode=True),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, split='test', test_mode=True),
)
val_evaluator = test_evaluator = dict(type='TemporalAPMetric', threshold=0.3, tolerances=(1, 5))

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
val_cfg = test_cfg = dict()
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2), clip_grad=dict(max_norm=5.0)
)
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=1, save_best='detect/mAP', rule='greater'))
folds = 5  # tools/detect.py: models of an ensemble, each trained without one fold of the videos
protocol = 'default'  # tools/detect.py: see vpd_mm.detect.search.search_corpus
# 5,000 windows and 50 steps an epoch, at a constant rate; the best epoch
paper = {
    'protocol': 'paper',
    'model.window': None,
    'train_dataloader.batch_size': 100,
    'train_dataloader.dataset.num_windows': 5000,
    'train_cfg.max_epochs': 200,
    'train_cfg.val_interval': 1,
    'val_evaluator': dict(_delete_=True, type='FrameAccuracy'),
    'optim_wrapper.clip_grad': None,
    'param_scheduler': None,
    'default_hooks.checkpoint': dict(interval=1, max_keep_ckpts=1, save_best='detect/frame_accuracy', rule='greater'),
    'custom_hooks': [
        dict(type='EarlyStoppingHook', monitor='detect/frame_accuracy', rule='greater', min_delta=0, patience=50)
    ],
}
