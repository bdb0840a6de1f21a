"""The paper's BiGRU on 2D-VPD features; for VI-VPD set dims and in_dims to 64 (Concat-VPD: tools/fewshot.py)."""

_base_ = ['bigru_joints_500e_fsjump6.py']

data = dict(features='vpd', dims=26)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
