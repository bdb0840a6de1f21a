"""Labels of the four sports (the paper's counts, rules, errors), id lists, and the validation split."""

import json
from collections import Counter

import pytest

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.importers import LabelSet, import_labels, read_diving48, read_fsjump6, read_fx35, read_tennis7
from vpd_mm.importers.release_lists import read_few_shot, read_labels, read_localize
from vpd_mm.structures import Action, load_actions, load_classes


def write_meta(path, videos, **changes):
    meta = {'fps': 25.0, 'num_frames': 100, 'width': 320, 'height': 240} | changes
    path.write_text(json.dumps(dict.fromkeys(videos, meta)))


def test_fsjump6_of_the_release(shared, tmp_path):
    counts = import_labels(read_fsjump6, shared / 'vpd_annotations/fs', tmp_path / 'fs').counts
    assert counts == {
        'videos': 371,
        'classes': 6,
        'actions': 1446,
        'actions, train': 743,
        'actions, val': 183,
        'actions, test': 520,
        'few-shot lists': 60,
        'localisation lists': 5,
    }
    corpus = Corpus.open(tmp_path / 'fs')
    actions = {a.action_id: a for a in load_actions(corpus.actions_path, 6)}
    assert {a.split for a in actions.values() if '_2018_' in a.video} == {'test'}
    ids = corpus.fewshot_path(16, 3).read_text().split()
    assert Counter(actions[i].label for i in ids) == dict.fromkeys(range(6), 16)
    assert {actions[i].split for i in ids} == {'train'}
    first = actions['men_world_short_program_2017_19_00258475_00262700:642:681']
    assert (first.start_frame, first.end_frame) == (642, 681)
    assert load_classes(corpus.classes_path)[first.label] == 'axel'
    orders = [(tmp_path / f'fs/annotations/localize/{i}.txt').read_text().split() for i in range(5)]
    assert all(len(order) == 237 for order in orders)


def test_tennis7_of_the_release(shared, tmp_path):
    counts = import_labels(read_tennis7, shared / 'vpd_annotations/tennis', tmp_path / 'tennis').counts
    assert counts == {
        'videos': 2 * 1619,
        'classes': 7,
        'actions': 8243,
        'actions, train': 4592,
        'actions, val': 1142,
        'actions, test': 2509,
        'few-shot lists': 60,
        'localisation lists': 5,
        'swings to detect': 9821,
    }
    corpus = Corpus.open(tmp_path / 'tennis')
    action = load_actions(corpus.actions_path, 7)[0]
    assert action.action_id == 'wimbledon_2019_mens_semifinal_federer_nadal:front:1237'
    assert action.video == 'front__wimbledon_2019_mens_semifinal_federer_nadal_1093_1731'
    assert (action.start_frame, action.end_frame, action.split) == (144, 145, 'test')
    assert len(corpus.fewshot_path(4, 0).read_text().split()) == 7 * 4


@pytest.fixture
def skating(tmp_path):
    folder = tmp_path / 'fs'
    folder.mkdir()
    write_meta(tmp_path / 'fs.video_meta.json', ['a_program_2017_1', 'a_program_2018_1'])
    (folder / 'all.txt').write_text(
        'a_program_2017_1:5:9 axel\na_program_2018_1:0:100 flip\na_program_2017_1:20:30 flip'
    )
    (folder / 'val.ids.txt').write_text('a_program_2017_1:20:30')
    return folder


def test_fsjump6_splits(skating):
    splits = {a.action_id: a.split for a in read_fsjump6(skating).actions}
    assert list(splits.values()) == ['train', 'test', 'val']


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('a_program_2017_1:5:9 salto', "has label 'salto'"),
        ('a_program_2017_1:9:9 axel', 'needs start < end <= 100'),
        ('a_program_2017_1:9:101 axel', 'needs start < end <= 100'),
        ('x:1:2 axel', 'the video is not in the table; pass the --meta'),
        ('a_program_2017_1:1 axel', 'is not of the form <video>:<start>:<end>'),
        ('a_program_2017_1:x:2 axel', 'is not of the form'),
    ],
)
def test_fsjump6_errors(skating, tmp_path, line, message):
    (skating / 'all.txt').write_text(line)
    with pytest.raises(UserError, match=message):
        import_labels(read_fsjump6, skating, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_meta_errors(skating, tmp_path):
    with pytest.raises(UserError, match='no such file'):
        read_fsjump6(skating, meta=tmp_path / 'none.json')
    write_meta(tmp_path / 'fs.video_meta.json', ['a_program_2017_1'], fps=0)
    with pytest.raises(UserError, match='a_program_2017_1: fps must be a positive number, found 0'):
        read_fsjump6(skating)
    (tmp_path / 'fs.video_meta.json').unlink()
    with pytest.raises(UserError, match='pass --meta FILE'):
        read_fsjump6(skating)


def test_tennis_clips_and_classes(tmp_path):
    folder = tmp_path / 'tennis'
    folder.mkdir()
    write_meta(tmp_path / 'tennis.video_meta.json', ['m_100_200', 'm_190_290', 'm_300_400'])
    (folder / 'val.ids.txt').write_text('')
    lines = ['m:front:150 overhead', 'm:back:192 serve', 'm:back:198 backhand_slice', 'm:front:150000 nonshot']
    (folder / 'all.txt').write_text('\n'.join(lines))
    (folder / 'train_4_0.ids.txt').write_text('m:front:150\nm:back:192\n')
    labels = read_tennis7(folder)
    assert [(a.video, a.start_frame) for a in labels.actions] == [('front__m_100_200', 50), ('back__m_190_290', 8)]
    assert [(a.video, a.start_frame, a.label) for a in labels.detect] == [
        ('front__m_100_200', 50, 0),
        ('back__m_100_200', 92, 0),
        ('back__m_190_290', 8, 0),
    ]
    assert labels.few_shot == {(4, 0): ['m:front:150']}
    for line, message in [
        ('m:front:295 overhead', 'frame 295 is in no clip of'),
        ('m:side:150 overhead', "'m:side:150' is not of the form <match>:<front|back>"),
        ('m:front:x overhead', "'m:front:x' is not of the form"),
        ('m:front:150 smash', "has label 'smash'"),
    ]:
        (folder / 'all.txt').write_text(line)
        with pytest.raises(UserError, match=message):
            read_tennis7(folder)


@pytest.fixture
def gym(tmp_path):
    folder = tmp_path / 'gym'
    folder.mkdir()
    (folder / 'gym99_categories.txt').write_text(
        'Clabel:   0; set:  1; Glabel:   1; (VT) round-off, flic-flac\n'
        'Clabel:   7; set: 21; Glabel:  68; (FX) switch leap with 1 turn\n'
        'Clabel:   9; set: 21; Glabel:  73; (FX) split leap,  1.5 turn    \n'
    )
    videos = [f'{name}_E_000100_000200' for name in ('x_A_y', 'b', 'c', 'd')]
    write_meta(folder / 'fx.video_meta.json', videos, fps=29.97, num_frames=300)
    train = [f'{v}_A_{i:04d}_{i + 1:04d} {label}' for v in videos[:3] for i, label in ((1, 9), (5, 7))]
    (folder / 'gym99_train_element_v1.1.txt').write_text('\n'.join([*train, f'{videos[0]}_A_0009_0010 0']))
    (folder / 'gym99_val_element.txt').write_text(f'{videos[3]}_A_0001_0002 7\ngone_E_000001_000002_A_0001_0002 7\n')
    segments = {f'A_{i:04d}_{i + 1:04d}': {'stages': 1, 'timestamps': [[i + 0.1, i + 1.5]]} for i in (1, 5)}
    segments['A_0005_0006'] = {'stages': 1, 'timestamps': [[9.0, 20.0]]}
    event = {'E_000100_000200': {'event': 2, 'timestamps': [[100.0, 200.0]], 'segments': segments}}
    (folder / 'finegym_annotation_info_v1.1.json').write_text(
        json.dumps({video.removesuffix('_E_000100_000200'): event for video in videos})
    )
    (folder / 'train_4_0.ids.txt').write_text(f'{videos[1]}_A_0001_0002\nother_E_1_2_A_3_4\n')
    return folder


def test_fx35(gym, tmp_path):
    labels = read_fx35(gym)
    assert labels.classes == ['switch leap with 1 turn', 'split leap, 1.5 turn']
    first = labels.actions[0]
    assert first.action_id == 'x_A_y_E_000100_000200_A_0001_0002'
    assert first.video == 'x_A_y_E_000100_000200'
    assert (first.start_frame, first.end_frame, first.label) == (32, 75, 1)  # floor(1.1 * 29.97), ceil(2.5 * 29.97)
    assert labels.actions[1].end_frame == 300  # cut at the end of the routine
    assert Counter(a.split for a in labels.actions) == {'train': 6, 'test': 1}
    assert labels.other_counts == {'elements without a video': 1}
    assert labels.few_shot == {(4, 0): ['b_E_000100_000200_A_0001_0002']}
    counts = import_labels(read_fx35, gym, tmp_path / 'out', val_share=0.34, seed=0).counts
    assert (counts['actions, train'], counts['actions, val'], counts['actions, test']) == (4, 2, 1)
    assert counts['elements without a video'] == 1


def test_fx35_errors(gym):
    path = gym / 'finegym_annotation_info_v1.1.json'
    whole = path.read_text()
    path.write_text(whole.replace('"A_0001_0002"', '"A_0001_0009"'))
    with pytest.raises(UserError, match='has no timestamps of x_A_y_E_000100_000200_A_0001_0002'):
        read_fx35(gym)
    path.write_text(whole.replace('[1.1, 2.5]', '[2.5, 1.1]'))
    with pytest.raises(UserError, match='needs seconds, 0 <= start < end'):
        read_fx35(gym)
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(UserError, match='truncated or not JSON'):
        read_fx35(gym)
    (gym / 'gym99_categories.txt').write_text('Clabel 0')
    with pytest.raises(UserError, match=r'gym99_categories\.txt:1: needs "Clabel'):
        read_fx35(gym)


def test_fx35_lists_of_the_release(shared):
    """All 60 lists are there; every id of the first 4-shot list that is a floor exercise is in the table."""
    table = json.loads((shared / 'vpd_annotations/fx.video_meta.json').read_text())
    ids = (shared / 'vpd_annotations/finegym99/train_4_0.ids.txt').read_text().split()
    assert sum(i.rpartition('_A_')[0] in table for i in ids) == 35 * 4


@pytest.fixture
def diving(tmp_path):
    folder = tmp_path / 'diving'
    folder.mkdir()
    write_meta(folder / 'diving48.video_meta.json', [f'v{i}_{j:05d}' for i in range(5) for j in range(4)])
    (folder / 'Diving48_vocab.json').write_text(
        json.dumps([['Back', '15som', '05Twis', 'FREE'], ['Fwd', 'Dive', 'No', 'PIKE']])
    )
    entries = [
        {'vid_name': f'v{i}_{j:05d}', 'label': j % 2, 'start_frame': 0, 'end_frame': 90 + j * 10}
        for i in range(5)
        for j in range(4)
    ]
    (folder / 'Diving48_V2_train.json').write_text(json.dumps(entries[:16]))
    gone = {'vid_name': 'gone_00001', 'label': 0, 'start_frame': 0, 'end_frame': 9}
    (folder / 'Diving48_V2_test.json').write_text(json.dumps([*entries[16:], gone]))
    lists = tmp_path / 'lists'
    lists.mkdir()
    (lists / 'train_4_0.ids.txt').write_text('v0_00001\nv1_00002\n')
    return folder


def test_diving48(diving, tmp_path):
    labels = read_diving48(diving, few_shot=tmp_path / 'lists')
    assert labels.classes == ['Back 15som 05Twis FREE', 'Fwd Dive No PIKE']
    assert [a.end_frame for a in labels.actions[:4]] == [90, 100, 100, 100]
    assert labels.few_shot == {(4, 0): ['v0_00001', 'v1_00002']}
    assert labels.other_counts == {'dives without a video': 1}
    split = labels.with_validation(0.25, seed=0)
    assert Counter(a.split for a in split.actions) == {'train': 12, 'val': 4, 'test': 4}
    assert {a.split for a in split.actions if a.action_id in ('v0_00001', 'v1_00002')} == {'train'}
    split = read_diving48(diving).with_validation(0.25, seed=0)  # without lists
    val = {a.video.rpartition('_')[0] for a in split.actions if a.split == 'val'}
    assert len(val) == 1  # all dives of one video, or none
    assert Counter(a.split for a in split.actions) == {'train': 12, 'val': 4, 'test': 4}


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ({'vid_name': 'v0_00000', 'label': 2, 'start_frame': 0, 'end_frame': 9}, 'entry 0: label 2 is not in'),
        ({'vid_name': 'v0_00000', 'label': 0, 'start_frame': 9, 'end_frame': 9}, 'must lie before'),
        (
            {'vid_name': 'v0_00000', 'label': 0, 'start_frame': 0},
            r'entry 0: needs \{vid_name, label, start_frame, end_frame\}, found',
        ),
        ({'label': 0}, r'entry 0: needs \{vid_name'),
    ],
)
def test_diving48_errors(diving, entry, message):
    (diving / 'Diving48_V2_train.json').write_text(json.dumps([entry]))
    with pytest.raises(UserError, match=message):
        read_diving48(diving)


def test_another_sport_or_another_folder_is_refused(skating, diving, tmp_path):
    import_labels(read_fsjump6, skating, tmp_path / 'out')
    with pytest.raises(UserError, match="sport is 'figure_skating', importing 'diving'"):
        import_labels(read_diving48, diving, tmp_path / 'out')
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/thesis.txt').write_text('x')
    with pytest.raises(UserError, match='not empty and no corpus'):
        import_labels(read_fsjump6, skating, tmp_path / 'mine')
    assert [p.name for p in (tmp_path / 'mine').iterdir()] == ['thesis.txt']


def make_actions(num_videos=200, num_classes=4, each=1):
    return [
        Action(f'{v}:{i}', f'v{v}', i, i + 1, (v + i) % num_classes, 'train' if v % 4 else 'test')
        for v in range(num_videos)
        for i in range(each)
    ]


def split(actions, share=0.2, seed=0):
    return LabelSet('a sport', {}, [], actions).with_validation(share, seed).actions


def test_every_class_gives_its_share():
    actions = make_actions()
    before = Counter(a.label for a in actions if a.split == 'train')
    after = Counter(a.label for a in split(actions) if a.split == 'val')
    assert after == {label: round(0.2 * count) for label, count in before.items()}


def test_videos_stay_together_and_test_is_unchanged():
    actions = make_actions(60, 3, each=5)
    result = split(actions)
    assert [a.action_id for a in result] == [a.action_id for a in actions]
    assert all(b.split == 'test' for a, b in zip(actions, result) if a.split == 'test')
    splits = {video: {a.split for a in result if a.video == video} for video in {a.video for a in actions}}
    assert all(len(s) == 1 for s in splits.values())
    assert 0.1 < sum(a.split == 'val' for a in result) / sum(a.split == 'train' for a in actions) < 0.3


def test_split_depends_on_the_seed_and_not_on_the_order():
    actions = make_actions()
    val = {a.action_id for a in split(actions) if a.split == 'val'}
    assert val == {a.action_id for a in split(actions[::-1]) if a.split == 'val'}
    assert val != {a.action_id for a in split(actions, seed=1) if a.split == 'val'}
    assert split(actions, share=0) == actions


def test_no_class_is_left_without_training_actions():
    actions = [Action('a', 'a', 0, 1, 0, 'train'), Action('b', 'b', 0, 1, 1, 'train')]
    assert split(actions, share=0.9) == actions
    with pytest.raises(UserError, match='must lie in'):
        split(actions, share=1.5)


def test_few_shot_lists(tmp_path):
    (tmp_path / 'train_4_0.ids.txt').write_text('b\na\n\nserve\n')
    (tmp_path / 'train_16_9.ids.txt').write_text('a')
    (tmp_path / 'val.ids.txt').write_text('zzz')
    actions = [Action(name, 'v', 0, 1, 0, split) for name, split in (('a', 'train'), ('b', 'train'), ('c', 'test'))]
    assert read_few_shot(tmp_path, actions, others={'serve'}) == {(4, 0): ['a', 'b'], (16, 9): ['a']}
    assert read_few_shot(tmp_path, actions[:1], others=None) == {(4, 0): ['a'], (16, 9): ['a']}
    with pytest.raises(UserError, match=r'train_4_0\.ids\.txt: serve is not a training action'):
        read_few_shot(tmp_path, actions)
    with pytest.raises(UserError, match=r'train_16_9\.ids\.txt: no id is a training action of the labels'):
        read_few_shot(tmp_path, actions[1:], others=None)


def test_localize_lists_keep_their_order(tmp_path):
    (tmp_path / 'train.localize.2.txt').write_text('y\nx\n')
    videos = {'front__x', 'back__x', 'front__y', 'back__y'}
    lists = read_localize(tmp_path, videos, ['front__', 'back__'])
    assert lists == {2: ['front__y', 'back__y', 'front__x', 'back__x']}
    with pytest.raises(UserError, match='video y is not in the table'):
        read_localize(tmp_path, {'x'})


def test_label_lines(tmp_path):
    path = tmp_path / 'all.txt'
    path.write_text('a x\n\nb y\n')
    assert read_labels(path) == {'a': 'x', 'b': 'y'}
    for content, message in [
        (b'a x\na y\n', r'all\.txt:2: id a occurs twice'),
        (b'a\n', r'all\.txt:1: needs "id label"'),
        (b'\xff\xfe\x00a', r'all\.txt: not in UTF-8'),
    ]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_labels(path)
    with pytest.raises(UserError, match='no such file'):
        read_labels(tmp_path / 'none.txt')


@pytest.mark.parametrize(('count', 'message'), [(0, 'no action is left to import'), (2, '1 action ids are in several')])
def test_a_failed_import_leaves_no_corpus(tmp_path, count, message):
    actions = [Action('a', 'v', 0, 1, 0, split) for split in ('train', 'test')[:count]]
    labels = LabelSet('x', {'v': VideoInfo('v', '', 25.0, 9, 8, 8)}, ['c'], actions)
    with pytest.raises(UserError, match=message):
        import_labels(lambda source: labels, tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('classes', [['a', 'a'], ['a\nb'], [' a'], [''], ['a\u2028b'], ['\x1b[2J']])
def test_invalid_class_names_leave_no_corpus(tmp_path, classes):
    labels = LabelSet('x', {'v': VideoInfo('v', '', 25.0, 9, 8, 8)}, classes, [Action('a', 'v', 0, 1, 0, 'train')])
    with pytest.raises(UserError, match='class names must be unique, printable'):
        import_labels(lambda source: labels, tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
