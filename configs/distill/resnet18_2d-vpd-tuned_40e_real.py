"""As turned_40e_real, from a student that has seen flips: that of the synthetic sport, tuned to your video."""

_base_ = ['resnet18_2d-vpd-turned_40e_real.py']

load_from = 'work_dirs/resnet18-teacher-start_2d-vpd_60e_synthetic/epoch_60.pth'
model = dict(student=dict(backbone=dict(stem_channels=32)))
optim_wrapper = dict(optimizer=dict(lr=3e-4))
