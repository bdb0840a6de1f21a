"""resnet18-teacher-start_2d-vpd_60e_synthetic with 1,000,000 crops."""

_base_ = ['resnet18-teacher-start_2d-vpd_60e_synthetic.py']

max_epochs = 200
train_cfg = dict(max_epochs=max_epochs)
