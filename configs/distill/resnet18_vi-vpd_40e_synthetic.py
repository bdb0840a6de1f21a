"""VI-VPD of the embedded sport on two cores: the target is VIPE* of the teacher's poses (d = 64)."""

_base_ = ['resnet18_2d-vpd_40e_synthetic.py']

model = dict(student=dict(out_dims=64), decoder=dict(dims=64))
data = dict(teacher='vipe')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=dict(data, truth_dir=None))
