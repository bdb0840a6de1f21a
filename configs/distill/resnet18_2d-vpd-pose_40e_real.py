"""resnet18_2d-vpd_40e_real without the motion: the targets are poses alone."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

model = dict(decoder=None)
train_dataloader = dict(dataset=dict(motion=False))
val_dataloader = dict(dataset=dict(motion=False))
test_dataloader = dict(dataset=dict(motion=False))
