"""The short training for other features than 2D joints: without augmentation of joints."""

_base_ = ['recognize_1000i.py']

train_dataloader = dict(dataset=dict(pipeline=[_base_.train_pipeline[0], *_base_.pack]))
