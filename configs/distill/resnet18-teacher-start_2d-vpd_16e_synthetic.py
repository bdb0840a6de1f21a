"""80,000 crops in minutes: the student starts from the packed teacher's first three stages (the generic domain).

The paper starts at random, as every other config here does.
"""

_base_ = ['resnet18_2d-vpd-varied_60e_synthetic.py']

load_from = None
max_epochs = 16
model = dict(
    student=dict(
        backbone=dict(stem_channels=32),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='vpd_mm/synthetic/checkpoints/td-hm_res18-narrow_18e_generic-64x96.pth',
            prefix='backbone.',
            partial=True,
        ),
    ),
)
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
