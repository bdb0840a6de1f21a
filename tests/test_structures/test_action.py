import time

import pytest

from vpd_mm.errors import UserError
from vpd_mm.features.action_window_dataset import select_actions
from vpd_mm.structures import Action, load_actions, load_classes, load_splits, read_lines, save_actions, save_classes

ACTIONS = [Action('a:1', 'clip', 0, 10, 0, 'train'), Action('ü 2', 'clip', 10, 11, 3, 'test')]
HEADER = 'action_id,video,start_frame,end_frame,label,split\n'


def test_round_trip(tmp_path):
    save_actions(tmp_path / 'actions.csv', ACTIONS)
    assert load_actions(tmp_path / 'actions.csv', num_classes=4) == ACTIONS
    save_classes(tmp_path / 'classes.txt', ['back flip', 'axel'])
    assert load_classes(tmp_path / 'classes.txt') == ['back flip', 'axel']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('id,video\n', ':1: header must be'),
        (HEADER + 'a,v,0,5,0,train\na,v,5,9,0,train\n', ':3: action_id a is already on line 2'),
        (HEADER + 'a,v,5,5,0,train\n', ':2: .*start_frame < end_frame'),
        (HEADER + 'a,v,x,5,0,train\n', ":2: start_frame must be a whole number, found 'x'"),
        (HEADER + 'a,v,0,5,9,train\n', ':2: label 9 is not in classes.txt, which has 4'),
        (HEADER + 'a,v,0,5\n', ':2: needs 6 values'),
        (HEADER + 'a,,0,5,0,train\n', ':2: .*video must be non-empty'),
        (HEADER + 'a,v,0,5,0,Test\n', ":2: .*split must be one of train, val, test, found 'Test'"),
    ],
)
def test_errors_name_the_line(tmp_path, text, message):
    (tmp_path / 'actions.csv').write_text(text)
    with pytest.raises(UserError, match=message):
        load_actions(tmp_path / 'actions.csv', num_classes=4)


def test_classes_must_be_unique(tmp_path):
    (tmp_path / 'classes.txt').write_text('a\nb\na\n')
    with pytest.raises(UserError, match=r"classes\.txt:3: class name 'a'"):
        load_classes(tmp_path / 'classes.txt')
    with pytest.raises(UserError, match='unique'):
        save_classes(tmp_path / 'classes.txt', ['a', 'a'])


def test_files_of_spreadsheet_programs(tmp_path):
    actions, classes = tmp_path / 'actions.csv', tmp_path / 'classes.txt'
    actions.write_bytes(f'\ufeff{HEADER}a:1,clip,0,10,0,train\nü 2,clip,10,11,3,test\n'.replace('\n', '\r\n').encode())
    classes.write_bytes('\ufeffrück\r\naxel\r\n'.encode())
    assert load_actions(actions) == ACTIONS
    assert load_classes(classes) == ['rück', 'axel']
    for path, load in ((actions, load_actions), (classes, load_classes)):
        path.write_bytes(path.read_bytes().decode('utf-8-sig').encode('cp1252'))
        with pytest.raises(UserError, match=rf'{path.name}: not in UTF-8 \(byte 0xfc\); save it as UTF-8'):
            load(path)
    actions.write_text(HEADER + 'a' * 200000 + ',clip,0,10,0,train\n')
    with pytest.raises(UserError, match=r'actions\.csv: no CSV \(field larger than field limit'):
        load_actions(actions)


def test_large_lists_are_read_in_linear_time(tmp_path):
    start = time.process_time()
    (tmp_path / 'classes.txt').write_text(''.join(f'class {i}\n' for i in range(50_000)))
    assert len(load_classes(tmp_path / 'classes.txt')) == 50_000
    lines = [f'a:{i},v,{i},{i + 1},{i % 10},train\n' for i in range(50_000)]
    (tmp_path / 'actions.csv').write_text('action_id,video,start_frame,end_frame,label,split\n' + ''.join(lines))
    assert len(load_actions(tmp_path / 'actions.csv', 10)) == 50_000
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('a,v,0,' + '9' * 400 + ',0,train', 'end_frame must be a whole number'),
        ('a,v,0,999999999,0,train', r'<= 100000000, found 0\.\.999999999'),
        ('a,' + 'v' * 200_000 + ',0,1,0,train', 'no CSV .field larger'),
        ('a,v\0,0,1,0,train', 'no CSV|printable'),
        ('a\x1b[2J,v,0,1,0,train', 'must be non-empty and printable'),
    ],
)
def test_absurd_values_are_named(tmp_path, row, message):
    path = tmp_path / 'actions.csv'
    path.write_text(f'action_id,video,start_frame,end_frame,label,split\n{row}\n')
    with pytest.raises(UserError, match=message) as caught:
        load_actions(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2000


def test_lists_that_people_edit_name_what_the_corpus_holds(tmp_path):
    """Line ends of Windows, spaces, and the decomposed Unicode form of macOS."""
    (tmp_path / 'list.txt').write_bytes('\ufeffLa\u0308ufer 1\r\n\r\n  b\n'.encode())
    assert read_lines(tmp_path / 'list.txt') == ['L\u00e4ufer 1', 'b']
    action = Action('La\u0308ufer:0', 'La\u0308ufer', 0, 1, 0, 'train')
    assert (action.action_id, action.video) == ('L\u00e4ufer:0', 'L\u00e4ufer')
    save_classes(tmp_path / 'classes.txt', ['Sprung [2]', '$x$', 'U\u0308bung'])
    assert load_classes(tmp_path / 'classes.txt') == ['Sprung [2]', '$x$', '\u00dcbung']
    for name in (' a', 'a\x85b', ''):
        with pytest.raises(UserError, match='class names must be unique'):
            save_classes(tmp_path / 'classes.txt', [name])


def test_actions_of_videos_that_are_left_out_are_not_read(tmp_path):
    path = tmp_path / 'annotations' / 'actions.csv'
    actions = [Action(f'{video}_1', video, 0, 5, 0, 'train') for video in 'abc']
    save_actions(path, actions)
    (path.parent / 'splits.csv').write_text('video,split\na,train\nb,val\n')
    (path.parent / 'few.txt').write_text('a_1\nb_1\nc_1\n')
    (path.parent / 'left_out.txt').write_text('b\n\n')
    kept = load_actions(path)
    assert [action.video for action in kept] == ['a', 'c']
    assert load_actions(path, all_videos=True) == actions
    assert load_splits(path.parent / 'splits.csv') == {'a': 'train'}
    assert select_actions(kept, ['train'], path.parent / 'few.txt', path) == kept
    (path.parent / 'few.txt').write_text('a_1\nd_1\n')
    with pytest.raises(UserError, match="action 'd_1' is not in"):
        select_actions(kept, ['train'], path.parent / 'few.txt', path)
