"""Shared settings of all baselines.

Fields of a data set that are None come from the corpus (``--corpus DIR``), and so does the model's ``num_classes``.
An epoch is a number of draws, so that small and large training sets get the same number of steps.
"""

_base_ = ['../../_base_/default_runtime.py']

max_epochs, warmup = 40, 1
from_corpus = dict(corpus=None, window=None, num_classes=None)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='EpochDrawSampler', num_samples=3200),
    dataset=dict(**from_corpus, split='train'),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**from_corpus, split='val', test_mode=True),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**from_corpus, split='test', test_mode=True),
)
accuracy = dict(type='mmaction.AccMetric', metric_list=('top_k_accuracy', 'mean_class_accuracy'))
val_evaluator = [accuracy, dict(type='LogLoss')]
test_evaluator = [accuracy, dict(type='ConfusionImage')]

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=2)
val_cfg = test_cfg = dict()
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, begin=0, end=warmup, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=warmup, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=2, max_keep_ckpts=1, save_best='acc/top1', rule='greater'))
auto_scale_lr = dict(enable=False, base_batch_size=16)
