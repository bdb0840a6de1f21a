"""The demonstration at its smallest, for tests: every step runs, nothing is learnt."""

_base_ = ['demo.py']

videos = dict(train=2, val=1, test=1)
side = 128
sub_frames = 1
distillation = {
    'log_level': 'WARNING',
    'train_cfg.max_epochs': 1,
    'train_dataloader.sampler.num_samples': 200,
    'val_dataloader.dataset.max_frames': 50,
}
students = [dict(student, options=distillation) for student in _base_.students]
ks = ['all']
recognizer = {
    'train_dataloader.batch_size': 16,
    'train_cfg.max_iters': 10,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 2,
}
baseline = {'train_cfg.max_epochs': 1, 'train_dataloader.sampler.num_samples': 32}
detector = {'folds': 2, 'train_cfg.max_epochs': 1, 'default_hooks.checkpoint.interval': 1}
methods = [dict(method, options=recognizer if 'features' in method else baseline) for method in _base_.methods]
detection = dict(methods=[dict(method, options=detector) for method in _base_.detection.methods])
precision_ks = [1, 3]
