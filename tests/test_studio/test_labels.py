"""Labels as the studio changes them: what is stored, refused and remembered."""

import csv
import errno
import os
import resource
from dataclasses import asdict, replace

import pytest
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.importers import import_label_table
from vpd_mm.structures import Action, load_actions, load_classes
from vpd_mm.studio.history import Label
from vpd_mm.studio.labels import MAX_NOTE, LabelConflict, LabelStore
from vpd_mm.studio.workspace import UnknownVideo

ONE = Label('a:0', 'a', 10, 20, 'class0', 'train')
NOTE = 'comma, "quote"\nline\ttab, ünïcode 日本 👨\u200d👩\u200d👧 =1+1'


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    actions = [Action('a:0', 'a', 10, 20, 0, 'train'), Action('b:0', 'b', 0, 5, 1, 'test')]
    return make_corpus(tmp_path / 'c', {'a': (25.0, 60), 'b': (25.0, 30), 'c': (25.0, 30)}, actions)


@pytest.fixture
def store(corpus) -> LabelStore:
    return LabelStore(corpus)


def add(**fields) -> dict:
    return {'before': None, 'after': {'video': 'a', 'start_frame': 1, 'end_frame': 5, 'label': 'class0', **fields}}


def change(before: Label, **fields) -> dict:
    return {'before': asdict(before), 'after': {**asdict(before), **fields}}


def delete(before: Label) -> dict:
    return {'before': asdict(before), 'after': None}


def test_a_new_label_is_a_row_of_actions_csv(corpus, store):
    before = corpus.actions_path.read_text()
    version, (label,) = store.change([add(label='class1', note=NOTE)])
    assert label == Label('a:1', 'a', 1, 5, 'class1', 'train', NOTE)
    assert corpus.actions_path.read_text() == before + 'a:1,a,1,5,1,train\n'
    assert (corpus.root / 'studio/notes.csv').read_text().startswith('action_id,note\na:1,"comma, ""quote""\n')
    snapshot, labels = LabelStore(corpus).labels('a')
    assert (snapshot.version, labels) == (version, [label, ONE])
    _, (changed,) = store.change([change(label, start_frame=2, note='')])
    assert changed == replace(label, start_frame=2, note='')
    assert (corpus.root / 'studio/notes.csv').read_text() == 'action_id,note\n'
    _, gone = store.change([delete(changed)])
    assert gone == [None]
    assert corpus.actions_path.read_text() == before


def test_fields_that_after_lacks_stay(store):
    _, (label,) = store.change([{'before': asdict(ONE), 'after': {'end_frame': 21, 'note': 'é\r\nx'}}])
    assert label == replace(ONE, end_frame=21, note='é\nx')


def test_undo_is_the_change_turned_round(corpus, store):
    before = corpus.actions_path.read_bytes()
    _, (label,) = store.change([change(ONE, start_frame=3, note='x')])
    store.change([{'before': asdict(label), 'after': asdict(ONE)}])
    _, (label,) = store.change([delete(ONE), add()])[1], store.change([add()])[1]
    store.change([{'before': None, 'after': asdict(ONE)}])
    texts = corpus.actions_path.read_text().splitlines()
    assert sorted(texts) == sorted([*before.decode().splitlines(), 'a:1,a,1,5,0,train', 'a:2,a,1,5,0,train'])


def test_ids_are_never_given_twice(store):
    ids = []
    for _ in range(3):
        _, (label,) = store.change([add()])
        ids.append(label.action_id)
        store.change([delete(label)])
    assert ids == ['a:1', 'a:2', 'a:3']


def test_a_stored_label_that_differs_is_a_conflict(corpus, store):
    _, (changed,) = LabelStore(corpus).change([change(ONE, end_frame=30)])
    for content, current in ((change(ONE, end_frame=40), changed), (delete(ONE), changed)):
        with pytest.raises(LabelConflict, match='was changed elsewhere') as raised:
            store.change([add(), content])
        assert raised.value.current == current
    store.change([delete(changed)])
    with pytest.raises(LabelConflict, match='was deleted') as raised:
        store.change([change(changed, end_frame=40)])
    assert raised.value.current is None
    other = next(iter(store.read().state.labels.values()))
    with pytest.raises(LabelConflict, match='is there already') as raised:
        store.change([add(action_id='b:0')])
    assert raised.value.current == other
    assert [a.action_id for a in load_actions(corpus.actions_path)] == ['b:0']  # none of the adds was made


def test_a_note_changed_elsewhere_is_a_conflict(store):
    _, (noted,) = store.change([change(ONE, note='mine')])
    with pytest.raises(LabelConflict) as raised:
        store.change([change(ONE, note='yours')])
    assert raised.value.current == noted


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        (add(end_frame=61), 'end_frame 61 is beyond the 60 frames of a'),
        (add(start_frame=5), r'0 <= start_frame < end_frame .* found 5\.\.5'),
        (add(start_frame=-1), r'found -1\.\.5'),
        (add(start_frame=1.0), "start_frame must be a whole number, found '1.0'"),
        (add(end_frame=True), "end_frame must be a whole number, found 'True'"),
        (add(end_frame=10**30), 'needs 0 <= start_frame'),
        (add(label='clas0'), "no class 'clas0'; did you mean 'class0'"),
        (add(label=0), "label must be text, found '0'"),
        (add(video='aa'), "no video 'aa'; did you mean 'a'"),
        (add(video='../a'), 'no video'),
        (add(split='dev'), 'split must be one of train, val, test'),
        (add(action_id='a,1'), 'no comma or quote'),
        (add(action_id='x\ny'), 'printable'),
        (add(note='\x00'), 'no control character'),
        (add(note='\ud800'), 'no control character'),
        (add(note='x' * (MAX_NOTE + 1)), 'at most 10000 characters, found 10001'),
        (add(endframe=5), "unknown field 'endframe'"),
        ({'before': None, 'after': {'video': 'a'}}, 'start_frame is missing'),
        ({'before': None, 'after': None}, 'both null'),
        ({'after': None}, 'needs before and after'),
        ({'before': {'action_id': 'a:0'}, 'after': None}, 'before: video is missing'),
        (change(ONE, action_id='a:7'), "action_id must stay 'a:0'"),
        ([], 'needs before and after'),
    ],
)
def test_what_is_not_valid_changes_nothing(corpus, store, content, problem):
    before = corpus.actions_path.read_bytes()
    with pytest.raises(UserError, match=problem):
        store.change([add(), content])
    assert corpus.actions_path.read_bytes() == before
    for nothing in ([], {}, None, 'x'):
        with pytest.raises(UserError, match='must be a list'):
            store.change(nothing)


def test_classes_are_added_and_renamed(corpus, store):
    assert store.add_class('spin, fast 日本')[1] == ['class0', 'class1', 'spin, fast 日本']
    store.change([add(label='spin, fast 日本')])
    actions = corpus.actions_path.read_bytes()
    assert store.rename_class('class0', 'jump')[1] == ['jump', 'class1', 'spin, fast 日本']
    assert store.rename_class('jump', 'Jump')[1][0] == 'Jump'
    assert load_classes(corpus.classes_path) == ['Jump', 'class1', 'spin, fast 日本']
    assert corpus.actions_path.read_bytes() == actions
    assert store.labels('a')[1][1] == replace(ONE, label='Jump')
    for name, problem in (
        ('', 'must be printable'),
        (' x', 'no space at its ends'),
        ('a\nb', 'must be printable'),
        ('x' * 101, '1 to 100 characters'),
        ('JUMP', "there is 'Jump' already"),
        (None, 'must be text'),
    ):
        with pytest.raises(UserError, match=problem):
            store.add_class(name)
        with pytest.raises(UserError, match=problem):
            store.rename_class('class1', name)
    with pytest.raises(UserError, match="no class 'clas1'; did you mean 'class1'"):
        store.rename_class('clas1', 'x')


def test_the_first_class_and_label_make_their_files(tmp_path):
    corpus = Corpus.create(tmp_path / 'new')
    corpus.add_videos([VideoInfo('a', '', 25.0, 60, 64, 64)])
    store = LabelStore(corpus)
    assert store.labels('a')[1] == []
    assert not (corpus.root / 'studio').exists()
    with pytest.raises(UserError, match='there is none yet; add one first'):
        store.change([add()])
    store.add_class('class0')
    assert sorted(os.listdir(corpus.root / 'annotations')) == ['classes.txt']
    store.change([add()])
    assert load_actions(corpus.actions_path) == [Action('a:0', 'a', 1, 5, 0, 'train')]
    assert sorted(os.listdir(corpus.root / 'studio')) == ['history.jsonl']


def test_a_new_label_has_the_split_of_its_video(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    names = {'a': 'x.mp4', 'b': 'x.mp4', 'c': 'y.mp4', 'd': 'z.mp4'}
    corpus.add_videos([VideoInfo(name, path, 25.0, 60, 64, 64) for name, path in names.items()])
    store = LabelStore(corpus)
    store.add_class('class0')
    corpus.splits_path.write_text('video,split\nc,test\n')
    store.change([add(video='a', split='val')])
    assert [store.change([add(video=name)])[1][0].split for name in 'abcd'] == ['val', 'val', 'test', 'train']


def test_changes_of_other_programs_are_kept_and_remembered(corpus, store):
    store.change([change(ONE, note='mine')])
    text = corpus.actions_path.read_text().replace('a:0,a,10,20', 'a:0,a,11,20') + 'hand,c,1,2,0,val\n'
    corpus.actions_path.write_text(text)
    corpus.classes_path.write_text('class0\nclass1\nclass2\n')
    store.change([add(label='class2')])
    assert corpus.actions_path.read_text() == text + 'a:1,a,1,5,2,train\n'
    (_, own), (_, hand), *_ = store.history()
    assert (own.source, hand.source) == ('studio', 'elsewhere')
    assert hand.changes == [
        (replace(ONE, note='mine'), replace(ONE, start_frame=11, note='mine')),
        (None, Label('hand', 'c', 1, 2, 'class0', 'val')),
    ]
    assert hand.classes == (['class0', 'class1'], ['class0', 'class1', 'class2'])


def test_a_read_remembers_what_others_changed(corpus, store):
    store.read()
    corpus.actions_path.write_text('action_id,video,start_frame,end_frame,label,split\n')
    store.read()
    (corpus.root / 'table.csv').write_text('video,label,start_frame,end_frame\na,x,1,2\nb,y,1,2\nc,x,3,4\n')
    import_label_table(corpus.root / 'table.csv', corpus.root, overwrite=True)
    assert {label.label for label in store.labels()[1]} == {'x', 'y'}
    assert [len(entry.changes) for _, entry in store.history()] == [3, 2, 2]


def test_labels_of_any_time_come_back(corpus, store):
    files = (corpus.actions_path, corpus.classes_path, store.notes_path)
    states = {}

    def note(entry: int) -> None:
        states[entry] = [path.read_text() if path.exists() else 'action_id,note\n' for path in files]

    store.read()
    note(1)
    store.change([change(ONE, note=NOTE), add(note='second')])
    note(2)
    store.rename_class('class0', 'jump')
    note(3)
    corpus.classes_path.write_text('class1\njump\n')  # by hand: labels swap their classes
    store.read()
    note(4)
    store.change([delete(label) for label in store.labels()[1]])
    note(5)
    for entry in (2, 4, 1, 5, 3):
        store.restore(entry)
        assert [path.read_text() for path in files] == states[entry]
    store.add_class('late')
    version, num = store.restore(1)
    assert (num, load_classes(corpus.classes_path)) == (2, ['class0', 'class1', 'late'])
    assert version == store.read().version
    with pytest.raises(UserError, match='no entry 99'):
        store.restore(99)
    assert store.history()[0][1].source == 'restored 1'


def test_no_line_of_a_damaged_file_is_lost(corpus, store):
    for path, text, problem in (
        (corpus.actions_path, corpus.actions_path.read_text() + 'x,a,9,3,0,train\n', r'actions\.csv:4: '),
        (corpus.actions_path, corpus.actions_path.read_text() + 'x,a,1,3,7,train\n', 'label 7 is not in classes.txt'),
        (corpus.actions_path, corpus.actions_path.read_text() + 'a:0,a,1,3,0,train\n', 'is already on line 2'),
        (corpus.classes_path, 'class0\nclass1\n\nx\n', r'classes\.txt:3: '),
        (store.notes_path, 'action_id,note\na:0\n', r'notes\.csv:2: needs 2 values'),
        (store.notes_path, 'id,note\n', r'notes\.csv:1: header must be'),
    ):
        before = path.read_text() if path.exists() else None
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        for write in (lambda: store.change([add()]), lambda: store.add_class('x'), lambda: store.restore(1)):
            with pytest.raises(UserError, match=f'{problem}.*correct the file'):
                write()
        assert path.read_text() == text
        assert len(store.read().problems) == 1
        path.unlink() if before is None else path.write_text(before)
    assert store.read().problems == []


def test_notes_of_labels_that_others_took_away_stay(corpus, store):
    store.change([change(ONE, note='kept')])
    lines = corpus.actions_path.read_text().splitlines(keepends=True)
    corpus.actions_path.write_text(''.join(lines[:1] + lines[2:]))
    store.change([add(note='other')])
    corpus.actions_path.write_text(corpus.actions_path.read_text() + lines[1])
    assert {label.action_id: label.note for label in store.labels('a')[1]} == {'a:0': 'kept', 'a:1': 'other'}


def test_labels_of_videos_that_are_left_out_stay(corpus, store):
    corpus.leave_out(['b'])
    store.change([delete(ONE)])
    assert corpus.actions_path.read_text().splitlines()[1:] == ['b:0,b,0,5,1,test']


def test_rows_of_videos_that_are_not_there_stay_and_can_be_deleted(corpus, store):
    corpus.remove_videos(['b'])
    store.change([add()])
    (label,) = (label for label in store.labels()[1] if label.video == 'b')
    with pytest.raises(UserError, match="no video 'b'"):
        store.change([change(label, end_frame=4)])
    store.change([delete(label)])
    with pytest.raises(UnknownVideo, match="no video 'b'"):
        store.labels('b')


def test_a_corpus_that_cannot_be_written_can_be_read(corpus, store, monkeypatch):
    really_open = os.open

    def refuse(path, flags, *rest, **options):
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return really_open(path, flags, *rest, **options)

    monkeypatch.setattr(os, 'open', refuse)
    assert store.labels('a')[1] == [ONE]
    with pytest.raises(UserError, match=r'\.labels\.lock: cannot be written \(Read-only file system\)') as raised:
        store.change([add()])
    assert '\n' not in str(raised.value)


@pytest.fixture
def full_disk():
    """Function after which no file can grow beyond so many bytes, until the test ends."""
    size = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda num: resource.setrlimit(resource.RLIMIT_FSIZE, (num, size[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, size)


@pytest.mark.parametrize('size', [50, 200, 700])  # of the table, the note, the history
def test_a_full_disk_changes_nothing(corpus, store, full_disk, size):
    store.change([change(ONE, note='n')])
    label = store.labels('a')[1][0]
    files = [corpus.actions_path, store.notes_path, store.notes_path.with_name('history.jsonl')]
    before = [path.read_bytes() for path in files]
    assert len(before[0]) < 200 < 500 < len(before[2]) < 700
    full_disk(size)
    with pytest.raises(UserError, match=r'cannot be written \(File too large\); nothing was changed') as raised:
        store.change([change(label, end_frame=11, note='x' * (300 if size == 200 else 100))])
    full_disk(10_000)
    assert '\n' not in str(raised.value)
    assert [path.read_bytes() for path in files] == before
    assert not list(corpus.root.rglob('*.tmp'))
    assert LabelStore(corpus).labels('a')[1] == [label]
    store.change([change(label, end_frame=11)])


def test_labels_are_divided_like_those_of_an_import(corpus, tmp_path):
    videos = {f'v{i}': (25.0, 200) for i in range(6)}
    places = [(i, j) for i in range(6) for j in range(4)]
    actions = [Action(f'v{i}:{j}', f'v{i}', 40 * j, 40 * j + 20, (i + j) % 2, 'train') for i, j in places]
    corpus = make_corpus(tmp_path / 'd', videos, actions)
    with corpus.actions_path.open() as f:
        rows = [{**row, 'label': f'class{row["label"]}'} for row in csv.DictReader(f)]
    with open(tmp_path / 'table.csv', 'w') as f:
        columns = ['action_id', 'video', 'start_frame', 'end_frame', 'label']
        writer = csv.DictWriter(f, columns, extrasaction='ignore')
        writer.writeheader()
        writer.writerows(rows)
    store = LabelStore(corpus)
    version, counts, divided = store.divide()
    assert (sum(counts.values()), divided) == (24, 'whole videos were divided')
    assert version == store.read().version
    of_studio = load_actions(corpus.actions_path)
    assert all(counts[split] == sum(a.split == split for a in of_studio) > 0 for split in ('train', 'val', 'test'))
    import_label_table(tmp_path / 'table.csv', corpus.root, overwrite=True)
    assert load_actions(corpus.actions_path) == of_studio
    corpus.splits_path.write_text('video,split\nv0,test\nv1,val\n')
    store.divide(seed=3)
    splits = {a.video: a.split for a in load_actions(corpus.actions_path)}
    assert (splits['v0'], splits['v1'], set(splits.values())) == ('test', 'val', {'train', 'val', 'test'})


def test_labels_that_do_not_suffice_are_not_divided(corpus, store):
    before = corpus.actions_path.read_bytes()
    with pytest.raises(UserError, match='label three or more actions of each class'):
        store.divide()
    assert corpus.actions_path.read_bytes() == before
    penn = LabelStore(replace(corpus, dataset='penn_action'))
    with pytest.raises(UserError, match='has the splits of penn_action'):
        penn.divide()


def test_a_corpus_with_a_table_of_detection_says_so(corpus, store):
    assert store.notices() == []
    corpus.detect_path.write_text('action_id,video,start_frame,end_frame,label,split\nx,a,1,2,0,train\n')
    (notice,) = store.notices()
    assert notice.endswith('detect.csv: detection of one class learns from this file, not from the labels made here')
