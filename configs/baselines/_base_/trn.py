"""TRN multi-scale of mmaction2, ResNet-50 from ImageNet."""

_base_ = ['mmaction::_base_/models/trn_r50.py']
