"""200,000 crops more after resnet18_2d-vpd-mixed_30e_synthetic.py, the same mixture under a second cosine."""

_base_ = ['resnet18_2d-vpd-mixed_30e_synthetic.py']

load_from = 'work_dirs/resnet18_2d-vpd-mixed_30e_synthetic/epoch_30.pth'
max_epochs = 40
optim_wrapper = dict(optimizer=dict(lr=7e-4))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
