"""VI-VPD on 30,000 crops, starting from the backbone of resnet18-teacher-start_2d-vpd_16e_synthetic."""

_base_ = ['resnet18-teacher-start_vi-vpd_60e_synthetic.py']

max_epochs = 6
start = 'work_dirs/resnet18-teacher-start_2d-vpd_16e_synthetic/epoch_16.pth'
model = dict(student=dict(init_cfg=dict(checkpoint=start)))
train_cfg = dict(max_epochs=max_epochs)
