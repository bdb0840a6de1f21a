"""As resnet18_2d-vpd_40e_real, with turned crops: for a film in which the athlete is upside down where it counts."""

_base_ = ['resnet18_2d-vpd_40e_real.py']

steps = _base_.train_pipeline
turned_pipeline = [*steps[:2], dict(type='CropRotation'), *steps[2:]]
train_dataloader = dict(dataset=dict(pipeline=turned_pipeline))
