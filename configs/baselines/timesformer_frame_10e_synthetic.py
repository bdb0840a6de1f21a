"""TimeSformer on whole frames, small."""

_base_ = ['timesformer_crop_10e_synthetic.py']

frame = dict(source='frame')
train_dataloader = dict(dataset=frame)
val_dataloader = dict(dataset=frame)
test_dataloader = dict(dataset=frame)
