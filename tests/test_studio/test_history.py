"""The history of the labels: every state can be had again, and interrupted entries are finished."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from vpd_mm.studio.history import ELSEWHERE, Entry, History, Label, Labels, renames

ONE = Label('a:0', 'a', 1, 5, 'jump', 'train', 'first,\n"note"')
TWO = Label('a:1', 'a', 7, 9, 'turn', 'val')
OLD = Labels(['jump', 'turn'], {'a:0': ONE, 'a:1': TWO})
#: One label changed, one deleted, one new, and a class renamed.
NEW = Labels(
    ['leap', 'turn', 'roll'],
    {'a:0': replace(ONE, label='leap', end_frame=6, note=''), 'a:2': replace(TWO, action_id='a:2', label='roll')},
)


def write(history: History, *states: Labels) -> History:
    for old, new in zip((Labels(), *states), states):
        history.begin(Entry.between(old, new, 'test'))
        history.end()
    return history


def test_an_entry_leads_from_one_state_to_the_next(tmp_path):
    history = write(History(tmp_path / 'h'), OLD, NEW)
    assert history.state == NEW
    assert [entry.source for _, entry in history.entries()] == ['test', 'test']
    (_, first), (_, second) = history.entries()
    assert first.changes == [(None, ONE), (None, TWO)]
    renamed = replace(ONE, label='leap')
    assert second.changes == [(renamed, NEW.labels['a:0']), (TWO, None), (None, NEW.labels['a:2'])]
    assert second.classes == (OLD.classes, NEW.classes)
    assert second.applied(first.applied(Labels())) == NEW


def test_a_renamed_class_keeps_its_labels():
    renamed = OLD.with_classes(['leap', 'turn'])
    assert renamed.labels == {'a:0': replace(ONE, label='leap'), 'a:1': TWO}
    assert Entry.between(OLD, renamed, '').changes == []
    swapped = OLD.with_classes(['turn', 'jump'])
    assert [label.label for label in swapped.labels.values()] == ['turn', 'jump']


def test_lines_of_others_are_read(tmp_path):
    one, other = History(tmp_path / 'h'), History(tmp_path / 'h')
    write(one, OLD)
    other.update()
    assert other.state == OLD
    one.begin(Entry.between(OLD, NEW, ''))
    one.end()
    other.update()
    assert (other.state, other.problems, other.ids) == (NEW, [], {'a:0', 'a:1', 'a:2'})
    Path(tmp_path / 'h').unlink()
    other.update()
    assert other.state == Labels()


def test_a_torn_line_and_a_damaged_one_are_left_out_and_named(tmp_path):
    path = tmp_path / 'h'
    write(History(path), OLD)
    whole = path.read_bytes()
    for torn in (b'{"time":"2026', b'\xff\xfe', b'{"time":1,"source":"","changes":[{"before":3,"after":null}]}', b'[]'):
        path.write_bytes(whole + torn)
        history = History(path)
        history.update()
        assert (history.state, history.pending) == (OLD, None)
        assert len(history.problems) == 1
        assert history.problems[0].startswith(f'{path}:2: ')
        history.begin(Entry.between(OLD, NEW, ''))
        history.end()
        assert path.read_bytes().startswith(whole + torn + b'\n')
        again = History(path)
        again.update()
        assert (again.state, again.problems) == (NEW, history.problems)
        assert [number for number, _ in again.entries()] == [1, 3]


def test_an_entry_without_the_end_of_its_line_is_pending(tmp_path):
    history = write(History(tmp_path / 'h'), OLD)
    entry = Entry.between(OLD, NEW, '')
    history.begin(entry)
    other = History(tmp_path / 'h')
    other.update()
    assert (other.state, other.pending) == (OLD, entry)
    assert [number for number, _ in other.entries()] == [1]


def test_a_pending_entry_is_finished_from_any_point():
    entry = Entry.between(OLD, NEW, '')
    renamed = OLD.with_classes(NEW.classes)
    only_notes = Labels(OLD.classes, {**OLD.labels, 'a:0': replace(ONE, note='')})
    for reached in (OLD, renamed, only_notes, only_notes.with_classes(NEW.classes), NEW):
        assert entry.finished(reached) == NEW
    added = Entry.between(Labels(OLD.classes), OLD, '')
    assert added.finished(Labels(OLD.classes, {**OLD.labels, 'a:0': replace(ONE, note='')})) == OLD
    assert Entry.between(OLD, Labels(OLD.classes), '').finished(OLD) == Labels(OLD.classes)


def test_finishing_keeps_what_others_changed_since():
    entry = Entry.between(OLD, NEW, '')
    edited = OLD.with_changes([(ONE, replace(ONE, start_frame=2)), (TWO, replace(TWO, end_frame=20))])
    finished = entry.finished(edited)
    assert finished.labels['a:0'] == replace(NEW.labels['a:0'], start_frame=2)
    assert finished.labels['a:1'] == replace(TWO, end_frame=20)
    assert 'a:2' in finished.labels


texts = st.text(st.characters(codec='utf-8'), max_size=20)
labels = st.builds(Label, texts, texts, st.integers(0, 9), st.integers(0, 9), st.sampled_from('xyz'), texts, texts)
states = st.builds(
    lambda classes, rows: Labels(
        classes, {row.action_id: replace(row, label=classes[len(row.note) % len(classes)]) for row in rows}
    ),
    st.permutations('xyzuv').map(lambda names: names[:3]),
    st.lists(labels, max_size=5),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(states, min_size=1, max_size=4))
def test_every_state_comes_back(tmp_path_factory, sequence):
    history = write(History(tmp_path_factory.mktemp('h') / 'h'), *sequence)
    state, reached = Labels(), []
    for _, entry in history.entries():
        state = entry.applied(Labels(state.classes, dict(state.labels)))
        reached.append(state)
    assert reached == sequence


def test_only_the_studio_renames_classes():
    def entry(before: list[str], after: list[str], source: str = 'studio') -> Entry:
        return Entry('', source, [], (before, after))

    old, new = ['a', 'b'], ['x', 'b']
    assert renames([], old) == {'a': 'a', 'b': 'b'}
    assert renames([entry(old, new)], old) == renames([entry([], old, ELSEWHERE), entry(old, new)], old)
    assert renames([entry(old, new), Entry('', 'studio', []), entry(new, ['x', 'y'])], old) == {'a': 'x', 'b': 'y'}
    assert renames([entry(old, new, ELSEWHERE)], old) == {'a': 'a', 'b': 'b'}
    assert renames([entry(['b', 'z'], old), entry(old, new)], new) == {'x': 'x', 'b': 'b'}  # before the training
    added = [entry(old, ['n', 'a', 'b'], ELSEWHERE), entry(['n', 'a', 'b'], ['a', 'b', 'c'], 'restored 1')]
    assert renames(added, old) == {'a': 'a', 'b': 'b'}
