"""TimeSformer on crops of the athlete, small."""

_base_ = ['_base_/clips_synthetic.py', '_base_/timesformer_small.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(pipeline=_base_.volume_train))
val_dataloader = dict(dataset=dict(pipeline=_base_.volume_test))
test_dataloader = dict(dataset=dict(pipeline=_base_.volume_test))
