"""GSM on the flow of crops."""

_base_ = ['gsm_crop_40e_fx35.py']

flow = dict(source='flow')
model = dict(backbone=dict(backbone=dict(in_channels=10)), data_preprocessor=_base_.flow_input)
train_dataloader = dict(dataset=flow)
val_dataloader = dict(dataset=flow)
test_dataloader = dict(dataset=flow)
