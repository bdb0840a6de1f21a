"""Training of paper 4.1: AdamW, warm restarts after 50, 150 and 350 epochs, batches of 50 bucketed by length."""

_base_ = ['../default_runtime.py']

max_epochs = 500
pipeline = [dict(type='PackSequenceInputs')]
# None: from the corpus (--corpus DIR), like dims and the model's num_classes and in_dims
from_corpus = dict(corpus=None, window=None, num_classes=None)
dataset = dict(type='FeatureClipDataset', **from_corpus, features='joints', pipeline=pipeline)
train_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='LengthBatchSampler', pool_batches=10),
    dataset=dict(**dataset, split='train'),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, split='val', test_mode=True),
)
test_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, split='test', test_mode=True),
)
accuracy = dict(type='mmaction.AccMetric', metric_list=('top_k_accuracy', 'mean_class_accuracy'))
val_evaluator = [accuracy, dict(type='LogLoss')]
test_evaluator = [accuracy, dict(type='ConfusionImage')]

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
val_cfg = test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
periods = [max_epochs // 10 * 2**i for i in range(4)]
param_scheduler = [
    dict(type='CosineRestartLR', periods=periods, restart_weights=[1] * 4, eta_min=1e-7, convert_to_iter_based=True),
    dict(type='NormalizedWeightDecay', periods=periods, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=1, save_best='nll/top1_then_loss', rule='greater'))

# it ends with more than a third of the epochs without gain; patience counts validations
patience = max_epochs // 3 // train_cfg['val_interval'] + 1
rule = dict(monitor='nll/top1_then_loss', rule='greater', min_delta=0)
paper = {'custom_hooks': [dict(type='EarlyStoppingHook', **rule, patience=patience)]}
del patience, rule
