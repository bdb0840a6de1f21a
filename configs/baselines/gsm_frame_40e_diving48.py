"""GSM on whole frames."""

_base_ = ['gsm_crop_40e_diving48.py']

train = dict(source='frame', pipeline=_base_.frame_train)
test = dict(source='frame', pipeline=_base_.frame_test)
train_dataloader = dict(dataset=train)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)
