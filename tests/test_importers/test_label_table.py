"""Labels of one's own: forms of the table, splits, and the line of an error."""

import re

import pytest
from sequence_corpus import make_corpus

from vpd_mm.errors import UserError
from vpd_mm.importers import import_label_table, read_label_table
from vpd_mm.importers.label_table import check_splits
from vpd_mm.structures import load_actions, load_classes

#: Ten seconds each.
VIDEOS = {f'{name}{i}': (25.0, 250) for name in ('kong', 'safety') for i in range(7)}


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    corpus = make_corpus(tmp_path_factory.mktemp('labels') / 'c', VIDEOS, [])
    corpus.record_failures(['broken'], {'broken': 'no person found'})
    return corpus


def write(folder, text: str):
    path = folder / 'labels.csv'
    path.write_text(text, encoding='utf-8')
    return path


def import_text(folder, corpus, text: str):
    report = import_label_table(write(folder, text), corpus.root, overwrite=True)
    return report.counts, load_actions(corpus.actions_path), load_classes(corpus.classes_path)


@pytest.mark.parametrize(
    ('text', 'span'),
    [
        ('video,label,split\nkong0,vault,train\n', (0, 250)),
        ('\ufeffLabel; Video ;split\nvault;some/folder/kong0.MP4;train\n\n', (0, 250)),
        ('video\tstart_sec\tend_sec\tlabel\tsplit\nkong0\t1.0\t2,02\tvault\ttrain\n', (25, 51)),
        ('video,start_sec,end_sec,label,split\nkong0,9.9,10.2,vault,train\n', (247, 250)),
        ('video,start_sec,end_sec,label,split\nkong0,,,vault,train\n', (0, 250)),
        ('action_id,video,start_frame,end_frame,label,split\nkong0:3:9,kong0,3,9,vault,train\n', (3, 9)),
    ],
)
def test_a_table_names_videos_labels_and_times(corpus, tmp_path, text, span):
    _, [action], classes = import_text(tmp_path, corpus, text)
    assert classes == ['vault']
    assert (action.video, action.start_frame, action.end_frame, action.label) == ('kong0', *span, 0)
    assert (action.action_id, action.split) == (f'kong0:{span[0]}:{span[1]}', 'train')


def test_numbers_are_lines_of_the_classes_beside_the_table(corpus, tmp_path):
    text = 'video,label,split\nkong0,1,train\nkong1,0,train\n'
    _, actions, classes = import_text(tmp_path, corpus, text)
    assert (classes, [a.label for a in actions]) == (['0', '1'], [1, 0])
    (tmp_path / 'classes.txt').write_text('safety\nkong\n')
    _, actions, classes = import_text(tmp_path, corpus, text)
    assert [classes[a.label] for a in actions] == ['kong', 'safety']


@pytest.mark.parametrize(
    ('per_class', 'expected'),
    [
        (7, {'train': 3, 'val': 2, 'test': 2}),
        (3, {'train': 1, 'val': 1, 'test': 1}),
    ],
)
def test_splits_keep_videos_together_and_follow_the_classes(corpus, tmp_path, per_class, expected):
    names = [name for name in VIDEOS if int(name[-1]) < per_class]
    lines = [f'{name},{start},{start + 2},{name[:-1]}' for name in names for start in (0, 4)]
    text = '\n'.join(['video,start_sec,end_sec,label', *lines])
    _, actions, classes = import_text(tmp_path, corpus, text)
    splits = {action.video: action.split for action in actions}
    assert {(a.video, a.split) for a in actions} == set(splits.items())
    for name in classes:
        of_class = [split for video, split in splits.items() if video.startswith(name)]
        assert {split: of_class.count(split) for split in expected} == expected
    shuffled = '\n'.join(['video,start_sec,end_sec,label', *reversed(lines)])
    assert {a.video: a.split for a in import_text(tmp_path, corpus, shuffled)[1]} == splits


def test_two_videos_a_class_and_a_single_video_are_split_as_well_as_they_can(corpus, tmp_path):
    pairs = 'video,label\n' + ''.join(f'{name},{name[:-1]}\n' for name in VIDEOS if name[-1] in '01')
    splits = [action.split for action in import_text(tmp_path, corpus, pairs)[1]]
    assert sorted(splits) == ['test', 'train', 'train', 'val']
    single = 'video,start_frame,end_frame,label\n' + ''.join(
        f'kong0,{i},{i + 9},{"ab"[i // 10 % 2]}\n' for i in range(0, 120, 10)
    )
    splits = [action.split for action in import_text(tmp_path, corpus, single)[1]]
    assert {split: splits.count(split) for split in ('train', 'val', 'test')} == {'train': 4, 'val': 4, 'test': 4}


def test_athletes_stay_in_one_split(corpus, tmp_path):
    text = 'video,label,athlete\n' + ''.join(f'{name},{name[:-1]},{int(name[-1]) // 2}\n' for name in VIDEOS)
    splits = {}
    for action in import_text(tmp_path, corpus, text)[1]:
        splits.setdefault(int(action.video[-1]) // 2, set()).add(action.split)
    assert all(len(names) == 1 for names in splits.values())


@pytest.mark.parametrize(
    ('athletes', 'divided', 'counts'),
    [('abcabcabca', 'whole athletes', [4, 3, 3]), ('ababababab', 'whole videos', [4, 2, 4])],
)
def test_no_split_stays_empty_if_that_is_possible(corpus, tmp_path, athletes, divided, counts):
    lines = [
        f'{name},{"wxyz"[i % 4]},{athlete}' for i, (name, athlete) in enumerate(zip(VIDEOS, athletes, strict=False))
    ]
    report = import_label_table(
        write(tmp_path, '\n'.join(['video,label,athlete', *lines])), corpus.root, overwrite=True
    )
    assert report.notes == [f'no column split: {divided} were divided']
    actions = load_actions(corpus.actions_path)
    assert {action.label for action in actions if action.split == 'train'} == {0, 1, 2, 3}
    assert [report.counts[f'actions, {split}'] for split in ('train', 'val', 'test')] == counts


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('video,label\nkong0,a\nkong1,b\nkong2,c\n', r'no class has .* train and test; whole videos were divided'),
        ('video,label,athlete\nkong0,a,x\nkong1,b,y\nkong2,c,z\n', r'label more athletes, or leave out the column'),
        ('video,label\nkong0,a\nkong1,b\n', r'no action is val; .* one by one, as there are fewer than three videos'),
        ('video,label,split\nkong0,a,train\nkong1,a,test\n', r'no action is val; correct the column split'),
    ],
)
def test_splits_that_allow_no_test_are_known_from_the_table(corpus, tmp_path, text, problem):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=problem):
        check_splits(path, read_label_table(path))
    [*_, note] = import_label_table(path, corpus.root, overwrite=True).notes
    assert note.startswith('warning: ')
    assert re.search(problem, note)


def test_a_name_with_two_underscores_is_a_file_or_an_athlete_of_one(tmp_path):
    rows = read_label_table(write(tmp_path, 'video,label\n' + ''.join(f'{name}__m,{name}\n' * 3 for name in 'abc')))
    check_splits('t.csv', rows, ['m'])  # three athletes of one video, whose clips are divided one by one
    with pytest.raises(UserError, match='whole videos were divided'):
        check_splits('t.csv', rows, ['a__m', 'b__m', 'c__m'])


def test_failed_videos_are_counted_and_other_actions_kept(corpus, tmp_path):
    counts, actions, _ = import_text(tmp_path, corpus, 'video,label,split\nkong0,a,train\nbroken,a,test\n')
    assert (counts['actions left out: video not prepared'], len(actions)) == (1, 1)
    path = write(tmp_path, 'video,label,split\nkong1,a,train\n')
    with pytest.raises(UserError, match='holds other actions'):
        import_label_table(path, corpus.root)
    assert load_actions(corpus.actions_path) == actions


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('video,name\nkong0,a\n', r':1: has no column label'),
        ('video,label,start\nkong0,a,1\n', r":1: unknown column 'start'"),
        ('video,label,start_sec\nkong0,a,1\n', r':1: needs start and end either in frames or in seconds'),
        ('video,label\nkong0\n', r':2: needs 2 values'),
        ('video,label\n', r'holds no row'),
        ('video,label\nkong0,a\nkongo1,a\n', r":3: video 'kongo1': not in the corpus; did you mean 'kong1'"),
        ('video,label\nkong0,Vault\nkong1,vault\n', r":3: label 'vault' is 'Vault' on line 2"),
        ('video,label,split\nkong0,a,train\nkong1,a,\n', r':3: has no split'),
        ('video,label,split\nkong0,a,train\nkong1,a,validation\n', r":3: split must be .*, found 'validation'"),
        ('video,label\nkong0,a\nkong0,a\n', r':3: action kong0:0:250 is there twice'),
        ('video,label,start_sec,end_sec\nkong0,a,2,11\n', r':2: 2 s to 11 s leaves video kong0, which is 10\.00 s'),
        ('video,label,start_sec,end_sec\nkong0,a,nan,2\n', r":2: start_sec must be seconds, such as 2\.5, found 'nan'"),
        (f'video,label,start_frame,end_frame\nkong0,a,5,{"9" * 400}\n', r":2: end_frame must be a frame, found '999"),
        ('video,label,start_frame,end_frame\nkong0,a,5,5\n', r':2: needs 0 <= start_frame < end_frame'),
        ('video,label,start_frame,end_frame\nkong0,a,5,251\n', r':2: end_frame 251 is beyond the 250 frames'),
    ],
)  # fmt: skip
def test_an_invalid_table_is_refused_with_its_line(corpus, tmp_path, text, error):
    with pytest.raises(UserError, match=error):
        import_text(tmp_path, corpus, text)
