"""resnet18-teacher-start_2d-vpd_60e_synthetic with 80,000 crops, minutes on a CPU."""

_base_ = ['resnet18-teacher-start_2d-vpd_60e_synthetic.py']

max_epochs = 16
train_cfg = dict(max_epochs=max_epochs)
