"""VI-VPD (d = 64) on videos of your own (data/real of the README)."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

model = dict(student=dict(out_dims=64), decoder=dict(dims=64))
data = dict(teacher='vipe')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
