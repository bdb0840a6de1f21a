"""Tables 1 to 4 and Figure 3 of the paper: baselines, weak poses and VPD features with a BiGRU or as neighbours.

Features: teacher/joints and teacher/vipe (``tools/extract_features.py joints``, ``vipe``), features/vpd and
features/vi-vpd (students, ``--out vpd``, ``--out vi-vpd``), features/r2plus1d_18 (``clips``); Concat-VPD
is both VPDs.  The ablation reads features/{vpd,vi-vpd}-<stream> of students that ``--stream`` trained: nomotion (no
target of motion), nomotion-noflow (RGB alone), actions (on the frames of actions) and corpus (on all videos, with those
of the test split).  ``--skip-missing`` leaves out what was not made.
"""

_base_ = ['compare_baselines.py']

ks = [4, 8, 16, 32, 64, 'all']
bigru = dict(group='BiGRU on features', config='configs/recognize/bigru.py')
nearest = dict(group='Nearest neighbour (DTW)', kind='nearest')
features = [
    ('normalised 2D joints', 'teacher/joints', 'Normalized 2D joints'),
    ('VIPE*', 'teacher/vipe', 'VIPE*'),
    ('2D-VPD', 'features/vpd', '2D-VPD'),
    ('VI-VPD', 'features/vi-vpd', 'VI-VPD'),
    ('Concat-VPD', 'features/vpd+features/vi-vpd', 'Concat-VPD'),
]
methods = [
    *_base_.end_to_end,
    *_base_.skeleton,
    *[dict(bigru, name=f'{title} + BiGRU', features=name, paper=paper) for title, name, paper in features],
    *[dict(nearest, name=f'{title}, nearest', features=name) for title, name, _ in features],
]

# Table 2, what the distillation needs.
distilled = [
    ('teacher: normalised 2D joints', 'teacher/joints', 'Normalized 2D joints'),
    ('2D-VPD, without motion, RGB', 'features/vpd-nomotion-noflow', '2D, w/o motion; RGB'),
    ('2D-VPD, without motion', 'features/vpd-nomotion', '2D, w/o motion; RGB & flow'),
    ('2D-VPD', 'features/vpd', '2D-VPD'),
    ('teacher: VIPE*', 'teacher/vipe', 'VIPE*'),
    ('VI-VPD, without motion, RGB', 'features/vi-vpd-nomotion-noflow', 'VI, w/o motion; RGB'),
    ('VI-VPD, without motion', 'features/vi-vpd-nomotion', 'VI, w/o motion; RGB & flow'),
    ('VI-VPD', 'features/vi-vpd', 'VI-VPD'),
    ('VI-VPD, frames of actions only', 'features/vi-vpd-actions', 'VI-VPD (distilled on action video only)'),
    ('VI-VPD, all videos', 'features/vi-vpd-corpus', 'VI-VPD (distilled w/ the entire video corpus)'),
]
ablation = dict(
    title='What the distillation needs',
    ks=[16, 'all'],
    methods=[
        dict(name=title, config='configs/recognize/bigru.py', features=name, paper=paper)
        for title, name, paper in distilled
    ],
)

# Table 3.
retrieval = dict(
    title='Retrieval: precision among the k nearest actions',
    methods=[dict(name=title, features=name, paper=paper) for title, name, paper in features[:4]],
)

# Table 4, for the sports that detect: five labelled videos, by each of the five published lists.
spotted = [
    ('R(2+1)D', 'features/r2plus1d_18', 'Pretrained R3D'),
    ('2D joints', 'teacher/joints', 'Normalized 2D joints'),
    ('2D-VPD', 'features/vpd', '2D-VPD'),
    ('VIPE*', 'teacher/vipe', 'VIPE*'),
    ('VI-VPD', 'features/vi-vpd', 'VI-VPD'),
]
five_videos = dict(
    title='Detection in uncut videos, five of them labelled',
    ks=[5],
    methods=[
        dict(name=title, config='configs/detect/bigru_detector.py', features=name, paper=paper)
        for title, name, paper in spotted
    ],
)
