"""The paper's Table 1 and Figure 3: the rivals, weak poses and VPD features with a BiGRU and as nearest neighbours.

Features: teacher/joints and teacher/vipe (``tools/extract_features.py joints``, ``vipe``), features/vpd and
features/vi-vpd (students, ``--out vpd``, ``--out vi-vpd``), features/r2plus1d_18 (``clips``); Concat-VPD
is both VPDs.  Skeleton networks read the pose set ``release`` (``tools/import_dataset.py``).
"""

_base_ = ['compare_rivals.py']

bigru = dict(group='BiGRU on features', config='configs/recognize/bigru_joints_500e_{sport}.py')
nearest = dict(group='Nearest neighbour (DTW)', kind='nearest')
features = [
    ('normalised 2D joints', 'teacher/joints'),
    ('VIPE*', 'teacher/vipe'),
    ('2D-VPD', 'features/vpd'),
    ('VI-VPD', 'features/vi-vpd'),
    ('Concat-VPD', 'features/vpd+features/vi-vpd'),
]
methods = [
    *_base_.end_to_end,
    *_base_.skeleton,
    *[dict(bigru, name=f'{title} + BiGRU', features=name) for title, name in features],
    *[dict(nearest, name=f'{title}, nearest', features=name) for title, name in features],
]
ks = [4, 8, 16, 32, 64, 'all']
# Table 4, for the sports that detect.
spotted = [
    ('R(2+1)D', 'joints', 'features/r2plus1d_18'),
    ('2D joints', 'joints', 'teacher/joints'),
    ('2D-VPD', 'vpd', 'features/vpd'),
    ('VI-VPD', 'vpd', 'features/vi-vpd'),
]
detectors = [
    dict(name=title, config=f'configs/detect/bigru_{model}_100e_{{sport}}.py', features=name)
    for title, model, name in spotted
]
