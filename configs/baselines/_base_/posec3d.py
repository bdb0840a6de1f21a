"""PoseC3D of mmaction2 on heat maps of 13 joints."""

left, right = [1, 3, 5, 7, 9, 11], [2, 4, 6, 8, 10, 12]
heat_frames, heat_size, heat_crop = 48, 64, 56
model = dict(
    _scope_='mmaction',
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowOnly',
        depth=50,
        pretrained=None,
        in_channels=13,
        base_channels=32,
        num_stages=3,
        out_indices=(2,),
        stage_blocks=(4, 6, 3),
        conv1_stride_s=1,
        pool1_stride_s=1,
        inflate=(0, 1, 1),
        spatial_strides=(2, 2, 2),
        temporal_strides=(1, 1, 2),
        dilations=(1, 1, 1),
    ),
    cls_head=dict(
        type='I3DHead', in_channels=512, num_classes=15, spatial_type='avg', dropout_ratio=0.5, average_clips='prob'
    ),
)

heatmaps = [
    dict(type='mmaction.FormatShape', input_format='NCTHW_Heatmap'),
    dict(type='mmaction.PackActionInputs', meta_keys=('action_id',)),
]
heatmaps_train = [
    dict(type='mmaction.UniformSampleFrames', clip_len=heat_frames),
    dict(type='mmaction.PoseDecode'),
    dict(type='mmaction.PoseCompact', hw_ratio=1.0, allow_imgpad=True),
    dict(type='mmaction.Resize', scale=(-1, heat_size)),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.56, 1.0)),
    dict(type='mmaction.Resize', scale=(heat_crop, heat_crop), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5, left_kp=left, right_kp=right),
    dict(type='mmaction.GeneratePoseTarget', sigma=0.6, use_score=True, left_kp=left, right_kp=right),
    *heatmaps,
]
heatmaps_test = [
    dict(type='mmaction.UniformSampleFrames', clip_len=heat_frames, num_clips=1, test_mode=True),
    dict(type='mmaction.PoseDecode'),
    dict(type='mmaction.PoseCompact', hw_ratio=1.0, allow_imgpad=True),
    dict(type='mmaction.Resize', scale=(-1, heat_size)),
    dict(type='mmaction.CenterCrop', crop_size=heat_size),
    dict(type='mmaction.GeneratePoseTarget', sigma=0.6, use_score=True, double=True, left_kp=left, right_kp=right),
    *heatmaps,
]
