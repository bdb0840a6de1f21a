"""BiGRU on any features and their velocities, 32 frames a clip, 1000 steps: no augmentation that knows of joints."""

_base_ = ['bigru_joints-velocity_1000i_synthetic.py']

data = dict(features='vpd', dims=26)
pipeline = [
    dict(type='RandomTimeCrop', max_share=0.2),
    dict(type='ResampleFrames', num_frames=32),
    dict(type='AddVelocity', scale=8.0),
    dict(type='PackSequenceInputs'),
]
train_dataloader = dict(dataset=dict(data, pipeline=pipeline))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
