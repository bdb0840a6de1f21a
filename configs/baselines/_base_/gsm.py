"""GSM: TSN's ResNet-50 from ImageNet with a gate-shift module in every block."""

_base_ = ['mmaction::_base_/models/tsn_r50.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='vpd_mm.GSM',
        num_segments=8,
        backbone=dict(
            type='mmaction.ResNet',
            depth=50,
            pretrained='https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
        ),
    )
)
