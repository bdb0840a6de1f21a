"""PoseC3D for two cores: half the width, one block a stage, 16 frames of 32 px."""

_base_ = ['posec3d.py']

model = dict(
    backbone=dict(base_channels=16, stage_blocks=(1, 1, 1)),
    cls_head=dict(in_channels=256),
)
heat_frames, heat_size = 16, 32
heatmaps_train = [
    dict(type='mmaction.UniformSampleFrames', clip_len=heat_frames),
    dict(type='mmaction.PoseDecode'),
    dict(type='mmaction.PoseCompact', hw_ratio=1.0, allow_imgpad=True),
    dict(type='mmaction.Resize', scale=(heat_size, heat_size), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5, left_kp=_base_.left, right_kp=_base_.right),
    dict(type='mmaction.GeneratePoseTarget', sigma=0.6, left_kp=_base_.left, right_kp=_base_.right),
    *_base_.heatmaps,
]
heatmaps_test = [
    dict(type='mmaction.UniformSampleFrames', clip_len=heat_frames, num_clips=1, test_mode=True),
    dict(type='mmaction.PoseDecode'),
    dict(type='mmaction.PoseCompact', hw_ratio=1.0, allow_imgpad=True),
    dict(type='mmaction.Resize', scale=(heat_size, heat_size), keep_ratio=False),
    dict(type='mmaction.GeneratePoseTarget', sigma=0.6, double=True, left_kp=_base_.left, right_kp=_base_.right),
    *_base_.heatmaps,
]
