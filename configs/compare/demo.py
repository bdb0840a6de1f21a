"""The demonstration, tools/demo.py: 17 minutes on two cores with bfloat16. Sizes of the sport, and a comparison."""

_base_ = ['../_base_/compare.py']

# the synthetic sport
videos = dict(train=35, val=3, test=8, unlabelled=0)  # train: a tenth more actions than the largest k needs
side = 256  # px
sub_frames = 8  # renderings averaged per frame

# distillation; each student starts from the backbone of the one before, the first from the packed teacher
frames = {
    'log_level': 'WARNING',
    'train_dataloader.sampler.num_samples': 8000,
    'val_dataloader.dataset.max_frames': 500,
    'test_dataloader.dataset.max_frames': 2000,
}
students = [
    dict(
        name='2D-VPD',
        run='vpd',
        config='configs/distill/resnet18-teacher-start_2d-vpd_16e_synthetic.py',
        options={**frames, 'train_cfg.max_epochs': 20},
        start='the first stages of the packed teacher (generic images, never this sport)',
    ),
    dict(
        name='VI-VPD',
        run='vi-vpd',
        config='configs/distill/resnet18-teacher-start_vi-vpd_6e_synthetic.py',
        # two loaders: each target is embedded again, which takes longer than the training step
        options={**frames, 'train_cfg.max_epochs': 2, 'train_dataloader.num_workers': 2},
        start='the backbone of 2D-VPD',
    ),
]

# recognition and detection
name = 'demo'
corpus = 'runs/demo/corpus'
ks = [8]
allow_short = True
all_seeds = 1
recognizer = {
    'train_dataloader.batch_size': 16,
    'train_cfg.max_iters': 300,
    'train_cfg.val_interval': 60,
    'default_hooks.checkpoint.interval': 60,
    'param_scheduler': [
        dict(type='LinearLR', start_factor=0.04, begin=0, end=42, by_epoch=False),
        dict(type='CosineAnnealingLR', T_max=258, begin=42, end=300, by_epoch=False),
    ],
}
cosine = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
baseline = {'train_cfg.max_epochs': 3, 'param_scheduler': [cosine]}
detector = {
    'folds': 2,
    'train_cfg.max_epochs': 8,
    'default_hooks.checkpoint.interval': 2,
}
options = dict(log_level='WARNING')
features = {
    '2D joints (teacher)': 'teacher/joints',
    'VIPE* (teacher)': 'teacher/vipe',
    '2D-VPD': 'features/vpd',
    'VI-VPD': 'features/vi-vpd',
}
bigru = dict(config='configs/recognize/bigru_fast_features.py', options=recognizer)
methods = [
    *(dict(bigru, name=name, features=run) for name, run in features.items()),
    dict(name='ST-GCN', config='configs/baselines/stgcn_small.py', options=baseline),
    dict(name='TSN, crops', config='configs/baselines/tsn_small.py', options=baseline),
]
scorer = dict(config='configs/detect/bigru_detector.py', options=detector)
detection = dict(methods=[dict(scorer, name=name, features=run) for name, run in features.items()])

precision_ks = [1, 5, 10]  # retrieval
