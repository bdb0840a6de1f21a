"""The paper's BiGRU for the whole training split of Diving48: 200 epochs. Not run."""

_base_ = ['bigru.py']

max_epochs = 200
periods = [max_epochs // 10 * 2**i for i in range(4)]
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [dict(schedule, periods=periods) for schedule in _base_.param_scheduler]
