"""resnet18_2d-vpd_40e_real with repaired poses as targets: self-training, a second round.

tools/repair_poses.py --corpus data/real --poses POSES --student work_dirs/resnet18_2d-vpd_40e_real
tools/extract_features.py joints --corpus data/real --poses POSES-repaired --out joints-repaired
"""

_base_ = ['resnet18_2d-vpd_40e_real.py']

data = dict(teacher='joints-repaired')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
