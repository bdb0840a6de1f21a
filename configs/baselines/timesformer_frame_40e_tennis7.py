"""TimeSformer on whole frames."""

_base_ = ['timesformer_crop_40e_tennis7.py']

frame = dict(source='frame')
train_dataloader = dict(dataset=frame)
val_dataloader = dict(dataset=frame)
test_dataloader = dict(dataset=frame)
