"""VI-VPD with VIPE* of the pose and of the inverted pose (d = 128), for divers."""

_base_ = ['resnet34_2d-vpd_1000e_diving48.py']

model = dict(student=dict(out_dims=128), decoder=dict(dims=128))
data = dict(teacher='vipe-invert')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
