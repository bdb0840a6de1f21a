"""ST-GCN++ on bones."""

_base_ = ['stgcnpp_joint_10e_synthetic.py']

bone = dict(stream='bone')
train_dataloader = dict(dataset=bone)
val_dataloader = dict(dataset=bone)
test_dataloader = dict(dataset=bone)
