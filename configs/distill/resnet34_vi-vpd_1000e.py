"""VI-VPD of the paper, d = 64, as resnet34_2d-vpd_1000e; Diving48: d = 128 (teacher ``vipe --invert --out vipe``)."""

_base_ = ['resnet34_2d-vpd_1000e.py']

data = dict(teacher='vipe')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
