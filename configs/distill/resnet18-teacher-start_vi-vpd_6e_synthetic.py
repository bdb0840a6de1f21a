"""30,000 crops in a minute or two: VI-VPD starts from the backbone of ..teacher-start_2d-vpd_16e_synthetic.py."""

_base_ = ['resnet18_vi-vpd-varied_60e_synthetic.py']

load_from = None
max_epochs = 6
model = dict(
    student=dict(
        backbone=dict(stem_channels=32),
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/resnet18-teacher-start_2d-vpd_16e_synthetic/epoch_16.pth'
        ),
    ),
)
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
