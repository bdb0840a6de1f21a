"""Clips of images for end-to-end networks: 8 segments; crops and flow at 128 px, whole frames at 224 px."""

_base_ = ['baseline.py']

segments = 8
sample = dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=segments)
pack = [
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs', meta_keys=('action_id',)),
]
train_pipeline = [
    sample,
    dict(type='LoadClip', flow_stack=5),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=(128, 128), keep_ratio=False),
    dict(type='ClipFlip'),
    *pack,
]
test_pipeline = [
    dict(**sample, test_mode=True),
    dict(type='LoadClip', flow_stack=5),
    dict(type='mmaction.Resize', scale=(-1, 128)),
    dict(type='mmaction.CenterCrop', crop_size=128),
    *pack,
]
frame_train = [
    *train_pipeline[:3],
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    *train_pipeline[4:],
]
frame_test = [
    *test_pipeline[:2],
    dict(type='mmaction.Resize', scale=(-1, 224)),
    dict(type='mmaction.CenterCrop', crop_size=224),
    *pack,
]

train_dataloader = dict(dataset=dict(type='CropClipDataset', source='crop', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(type='CropClipDataset', source='crop', pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(type='CropClipDataset', source='crop', pipeline=test_pipeline))

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4, nesterov=True),
    clip_grad=dict(max_norm=40, norm_type=2),
)

# Fields that each input stream changes; tools choose one with --stream.
flow_input = dict(mean=[0.0] * 10, std=[4.0] * 10)  # five frames of flow, px
streams = dict(
    crop=dict(),
    frame=dict(
        train_dataloader=dict(dataset=dict(source='frame', pipeline=frame_train)),
        val_dataloader=dict(dataset=dict(source='frame', pipeline=frame_test)),
        test_dataloader=dict(dataset=dict(source='frame', pipeline=frame_test)),
    ),
    flow=dict(
        model=dict(data_preprocessor=flow_input),
        train_dataloader=dict(dataset=dict(source='flow')),
        val_dataloader=dict(dataset=dict(source='flow')),
        test_dataloader=dict(dataset=dict(source='flow')),
    ),
)
stream = 'crop'
