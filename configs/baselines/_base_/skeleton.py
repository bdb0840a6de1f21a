"""Skeletons for graph networks: the joints that the BiGRU gets, 64 frames a clip, augmented as for the BiGRU.

The test score is the mean over the original and the flipped view.
"""

_base_ = ['baseline.py']

frames = 64
augment = [
    dict(type='NormalizedJoints'),
    dict(type='RandomTimeCrop', max_share=0.2),
    dict(type='RandomJointAffine', angle=0.3, scale=0.15, shear=0.15, offset=0.03, noise=0.01),
]
pack = [dict(type='SkeletonStream'), dict(type='mmaction.PackActionInputs', meta_keys=('action_id',))]
train_pipeline = [*augment, dict(type='ResampleFrames', num_frames=frames), *pack]
test_pipeline = [augment[0], dict(type='ResampleFrames', num_frames=frames), *pack]

dataset = dict(type='PoseClipDataset', poses=None, stream='joint')
train_dataloader = dict(batch_size=32, dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(batch_size=32, dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(batch_size=32, dataset=dict(**dataset, pipeline=test_pipeline))

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2), clip_grad=dict(max_norm=5.0)
)

# Fields that each input stream changes; tools choose one with --stream.
streams = dict(
    joint=dict(),
    bone=dict(
        train_dataloader=dict(dataset=dict(stream='bone')),
        val_dataloader=dict(dataset=dict(stream='bone')),
        test_dataloader=dict(dataset=dict(stream='bone')),
    ),
)
stream = 'joint'
