# The paper's student and decoder; d = 26 (normalised 2D joints).
model = dict(
    type='PoseDistiller',
    student=dict(type='PoseStudent', out_dims=26, in_channels=5),
    decoder=dict(type='MotionDecoder', dims=26),
)
