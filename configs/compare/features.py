"""Features of your own corpus (``--corpus DIR``), with few labels and with all; ``--only`` selects rows."""

corpus = 'data/real'
bigru = dict(group='BiGRU', config='configs/recognize/bigru_fast_features.py')
nearest = dict(group='Nearest neighbour (DTW)', kind='nearest')
rows = [('2D joints (teacher)', 'teacher/joints'), ('2D-VPD (student)', 'features/vpd')]
title = 'Features, few labels and all'
ks = [4, 'all']
allow_short = True
subsets = 3
methods = [
    *[dict(bigru, name=f'{name}, BiGRU', features=features) for name, features in rows],
    *[dict(nearest, name=f'{name}, nearest', features=features) for name, features in rows],
]
retrieval = dict(methods=[dict(name=name, features=features) for name, features in rows])
