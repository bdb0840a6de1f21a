"""TRN multi-scale on the flow of crops, small."""

_base_ = ['trn_crop_10e_synthetic.py']

flow = dict(source='flow')
model = dict(backbone=dict(in_channels=10), data_preprocessor=_base_.flow_input)
train_dataloader = dict(dataset=flow)
val_dataloader = dict(dataset=flow)
test_dataloader = dict(dataset=flow)
