"""The rivals of the paper's Table 1 on the same athletes; a comparison says `names` and adds its own methods."""

_base_ = ['compare.py']

names = dict(sport='', clips='40e', skeletons='40e')
clips = 'configs/baselines/{model}_{source}_{{clips}}_{{sport}}.py'
skeletons = 'configs/baselines/{model}_{source}_{{skeletons}}_{{sport}}.py'

networks = [('TSN', 'tsn'), ('TRN multi-scale', 'trn'), ('GSM', 'gsm'), ('TimeSformer', 'timesformer')]
sources = [('full frames', 'frame'), ('crops', 'crop'), ('flow', 'flow')]
end_to_end = []
for title, model in networks:
    for words, source in sources:
        config = clips.format(model=model, source=source)
        end_to_end.append(dict(name=f'{title}, {words}', group='End-to-end', config=config))
    parts = [f'{title}, crops', f'{title}, flow']
    end_to_end.append(dict(name=f'{title}, two-stream', group='End-to-end', kind='ensemble', of=parts))

graphs = [('ST-GCN', 'stgcn'), ('ST-GCN++', 'stgcnpp'), ('MS-G3D', 'msg3d')]
skeleton = []
for title, model in graphs:
    parts = []
    for stream in ('joint', 'bone'):
        parts.append(f'{title}, {stream}')
        config = skeletons.format(model=model, source=stream)
        skeleton.append(dict(name=parts[-1], group='Skeletons', config=config))
    skeleton.append(dict(name=f'{title}, joint + bone', group='Skeletons', kind='ensemble', of=parts))
posec3d = dict(name='PoseC3D', group='Skeletons', config=skeletons.format(model='posec3d', source='joint'))
skeleton.append(posec3d)
del networks, sources, graphs, title, model, words, source, stream, config, parts, posec3d, clips, skeletons
