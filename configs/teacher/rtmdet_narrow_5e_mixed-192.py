"""The packed person detector: rtmdet_narrow_12e_leaping-192 trained further, with people leaping before others.

Data: ``data/generic-leaping`` of that config, and
``tools/make_synthetic.py generic --out data/generic-over --public --leaping 0.5 --over --train 20000 --val 400``.
"""

_base_ = './rtmdet_narrow_12e_leaping-192.py'

load_from = 'work_dirs/rtmdet_narrow_12e_leaping-192/epoch_12.pth'
max_epochs = 5

leaping = _base_.train_dataloader.dataset
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmdet.ConcatDataset',
        datasets=[leaping, dict(leaping, data_root='data/generic-over/')],
    )
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(step, end=max_epochs, T_max=max_epochs) if 'T_max' in step else step for step in _base_.param_scheduler
]
