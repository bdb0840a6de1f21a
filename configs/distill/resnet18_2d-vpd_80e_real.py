"""resnet18_2d-vpd_40e_real with twice the crops."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

max_epochs = 80
train_cfg = dict(max_epochs=max_epochs)
