"""VI-VPD (d = 64) on Diving48 with the protocol of the paper."""

_base_ = ['resnet34_2d-vpd_1000e_diving48.py']

model = dict(student=dict(out_dims=64), decoder=dict(dims=64))
data = dict(teacher='vipe')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
