"""The paper's BiGRU for the whole training split of Diving48: 200 epochs. Not run: no measured result."""

_base_ = ['bigru.py']

max_epochs = 200
periods = [max_epochs // 10 * 2**i for i in range(4)]
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [dict(schedule, periods=periods) for schedule in _base_.param_scheduler]
patience = max_epochs // 3 // _base_.train_cfg.val_interval + 1
paper = {'custom_hooks': [dict(hook, patience=patience) for hook in _base_.paper.custom_hooks]}
