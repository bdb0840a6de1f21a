"""The short training for features other than 2D joints, which no turn or stretch of joints fits."""

_base_ = ['recognize_1000i.py']

train_dataloader = dict(dataset=dict(pipeline=[_base_.train_pipeline[0], *_base_.pack]))
