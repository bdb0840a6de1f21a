"""The demonstration at full size: hours on two cores, or a GPU."""

_base_ = ['demo.py']

videos = dict(train=120, val=16, test=40, unlabelled=80)
distillation = {
    'log_level': 'WARNING',
    'train_dataloader.sampler.num_samples': 20000,
    'val_dataloader.dataset.max_frames': 4000,
}
students = [
    dict(student, options={**distillation, 'train_cfg.max_epochs': epochs})
    for student, epochs in zip(_base_.students, (100, 40))
]
ks = [1, 2, 4, 8, 16]
methods = [dict(method, options={}) for method in _base_.methods]
detection = dict(methods=[dict(method, options={}) for method in _base_.detection.methods])
precision_ks = [1, 10, 50]
