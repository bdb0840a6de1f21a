"""VIPE* with the published network and training, on synthetic athletes instead of motion capture."""

_base_ = ['../_base_/models/skeletons.py', '../_base_/schedules/vipe_500e.py']

skeletons = dict(coco17=_base_.coco17)
model = dict(type='VIPE', encoder=dict(type='VIPEEncoder', dims=64), skeletons=skeletons)
# A seed is a set of athletes and motions; training, validation and test use different ones.
train_dataloader = dict(
    dataset=dict(
        skeletons=skeletons,
        sources=[dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=100000, seed=0, varied=0.4))],
    )
)
val_dataloader = dict(
    dataset=dict(
        skeletons=skeletons,
        sources=[dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=500, seed=1001, spacing_sec=0.2))],
    )
)
test_dataloader = dict(
    dataset=dict(
        skeletons=skeletons,
        sources=[dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=2000, seed=1002, spacing_sec=0.2))],
    )
)
