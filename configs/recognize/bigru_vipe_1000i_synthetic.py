"""BiGRU on VIPE* or other embeddings and their velocities, 32 frames a clip, 1000 steps; joints are not changed.

For VI-VPD and Concat-VPD pass --features to tools/fewshot.py: dims follow.
"""

_base_ = ['bigru_joints-velocity_1000i_synthetic.py']

pack = [
    dict(type='ResampleFrames', num_frames=_base_.frames),
    dict(type='AddVelocity', scale=_base_.velocity_scale),
    dict(type='PackSequenceInputs'),
]
data = dict(features='vipe', dims=64)
model = dict(backbone=dict(in_dims=128))
train_dataloader = dict(dataset=dict(data, pipeline=[dict(type='RandomTimeCrop', max_share=0.2), *pack]))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
