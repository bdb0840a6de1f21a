# A student for two cores: ResNet-18 of half width on 64 px crops.
model = dict(
    type='PoseDistiller',
    student=dict(
        type='PoseStudent',
        out_dims=26,
        in_channels=5,
        backbone=dict(type='mmpose.ResNet', depth=18, base_channels=32, out_indices=(3,)),
    ),
    decoder=dict(type='MotionDecoder', dims=26),
    channels_last=True,
)
