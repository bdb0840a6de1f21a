"""VIPE* on all sources of motion capture together (paper, supplement).

Remove the sources that you do not have.  Evaluated on synthetic athletes.
"""

_base_ = ['vipe_fc1024_500e_synthetic.py']

skeletons = dict(
    coco17=_base_.coco17,
    h36m=_base_.h36m,
    smplh=_base_.smplh,
    people3d=_base_.people3d,
    nba2k=_base_.nba2k,
)
data = 'data/vipe/'
sources = [
    dict(skeleton='coco17', source=dict(type='SyntheticPoses', num=100000, seed=0, varied=0.4)),
    dict(skeleton='h36m', source=dict(type='MocapPoses', path=data + 'h36m/annotation_body3d/fps10/h36m_train.npz')),
    dict(
        skeleton='smplh',
        source=dict(type='AmassPoses', path=data + 'amass', body_model=data + 'body_models', num=500000),
    ),
    dict(
        skeleton='people3d',
        source=dict(
            type='ReleasePoses', path=data + '3dpeople/ground_truth_3d_pose.pkl', parents=_base_.people3d_parents
        ),
    ),
    dict(
        skeleton='nba2k',
        source=dict(type='ReleasePoses', path=data + 'nba2k/ground_truth_3d_pose.pkl', parents=_base_.nba2k_parents),
    ),
]
model = dict(skeletons=skeletons)
train_dataloader = dict(dataset=dict(skeletons=skeletons, sources=sources))
val_dataloader = dict(dataset=dict(skeletons=skeletons))
test_dataloader = dict(dataset=dict(skeletons=skeletons))
