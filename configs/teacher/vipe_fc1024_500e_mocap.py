"""VIPE* as published: network, training, and the four sets of motion capture (paper, supplement, published code).

Remove the sources that you do not have.  Evaluated on synthetic athletes; the published code keeps the epoch of the
lowest loss on other persons instead.
"""

_base_ = ['vipe_fc1024_500e_synthetic.py']

skeletons = dict(h36m=_base_.h36m, smplh=_base_.smplh, people3d=_base_.people3d, nba2k=_base_.nba2k)
data = 'data/vipe/'
sources = [
    dict(
        skeleton='h36m',
        source=dict(type='MocapPoses', path=data + 'h36m/annotation_body3d/fps10/h36m_train.npz'),
        draws=20000,
    ),
    dict(
        skeleton='smplh',
        source=dict(
            type='AmassPoses',
            path=data + 'amass',
            body_model=data + 'body_models',
            repeat=dict(MPI_HDM05=10, MPI_Limits=10, MPI_mosh=10, Eyes_Japan_Dataset=0),
        ),
        draws=20000,
    ),
    dict(
        skeleton='people3d',
        source=dict(
            type='ReleasePoses',
            path=data + '3dpeople/ground_truth_3d_pose.pkl',
            parents=_base_.people3d_parents,
            exclude=['man01', 'man02', 'man03', 'man04', 'woman01', 'woman02', 'woman03', 'woman04'],
        ),
        draws=5000,
    ),
    dict(
        skeleton='nba2k',
        source=dict(
            type='ReleasePoses',
            path=data + 'nba2k/ground_truth_3d_pose.pkl',
            parents=_base_.nba2k_parents,
            exclude=['alfred', 'allen', 'barney', 'bradley'],
        ),
        draws=5000,
    ),
]
model = dict(skeletons=dict(_delete_=True, **skeletons))
train_dataloader = dict(dataset=dict(skeletons=dict(_delete_=True, **skeletons), sources=sources))
