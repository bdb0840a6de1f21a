"""Ablation of the paper: without flow."""

_base_ = ['resnet34_2d-vpd_1000e_fx35.py']

model = dict(student=dict(in_channels=3), data_preprocessor=dict(type='CropPreprocessor', with_flow=False))
