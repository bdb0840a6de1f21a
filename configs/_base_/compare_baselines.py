"""The baselines of the paper's Table 1 on the same athletes; a comparison adds its own methods."""

_base_ = ['compare.py']

networks = [
    ('TSN', 'configs/baselines/tsn.py', 'TSN'),
    ('TRN multi-scale', 'configs/baselines/trn.py', 'TRNms'),
    ('GSM', 'configs/baselines/gsm.py', 'GSM'),
    ('TimeSformer', 'configs/baselines/timesformer.py', 'TimeSformer'),
]
streams = [('full frames', 'frame', 'w/o crop'), ('crops', 'crop', 'crop'), ('flow', 'flow', 'flow')]
end_to_end = []
for title, config, paper in networks:
    row = dict(group='End-to-end')
    for words, stream, words_of_paper in streams:
        method = dict(name=f'{title}, {words}', config=config, stream=stream, paper=f'{paper} ({words_of_paper})')
        end_to_end.append(dict(row, **method))
    parts = [f'{title}, crops', f'{title}, flow']
    two_stream = dict(name=f'{title}, two-stream', kind='ensemble', of=parts, paper=f'{paper} (crop; 2-stream)')
    end_to_end.append(dict(row, **two_stream))

graphs = [
    ('ST-GCN', 'configs/baselines/stgcn.py'),
    ('ST-GCN++', 'configs/baselines/stgcnpp.py'),
    ('MS-G3D', 'configs/baselines/msg3d.py'),
]
skeleton = []
for title, config in graphs:
    row = dict(group='Skeletons')
    # the paper's ST-GCN reads joints, its MS-G3D is the ensemble of joints and bones
    skeleton.append(dict(row, name=f'{title}, joint', config=config, stream='joint', paper=title))
    skeleton.append(dict(row, name=f'{title}, bone', config=config, stream='bone'))
    parts = [f'{title}, joint', f'{title}, bone']
    both = dict(name=f'{title}, joint + bone', kind='ensemble', of=parts, paper=f'{title} (ensemble)')
    skeleton.append(dict(row, **both))
skeleton.append(dict(name='PoseC3D', group='Skeletons', config='configs/baselines/posec3d.py'))
del networks, streams, graphs, title, config, paper, row, words, stream, words_of_paper, method, parts, two_stream, both
