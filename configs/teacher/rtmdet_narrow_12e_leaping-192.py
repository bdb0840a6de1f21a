"""Second step of the packed person detector: trained with leaping and lying people.

Data: ``tools/make_synthetic.py generic --out data/generic-leaping --public --leaping 0.4 --train 12000 --val 400``.
"""

_base_ = './rtmdet_narrow_24e_generic-192.py'

load_from = 'work_dirs/rtmdet_narrow_24e_generic-192/epoch_24.pth'
data_root = 'data/generic-leaping/'
max_epochs = 12

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(step, end=max_epochs, T_max=max_epochs) if 'T_max' in step else step for step in _base_.param_scheduler
]
