"""Tables that are changed without parsing them all."""

from dataclasses import dataclass

import pytest

from vpd_mm.errors import UserError
from vpd_mm.structures.table_io import change_table, read_table, write_table


@dataclass(frozen=True)
class Item:
    name: str
    text: str
    number: float


def rows(path):
    return [row for _, row in read_table(path, Item)]


ITEMS = [Item('a', 'x', 1.5), Item('b', 'one, "two"', 2.0), Item('d', 'y', 0.1)]


@pytest.mark.parametrize('change', [str, lambda text: '\ufeff' + text, lambda text: text.replace('\n', '\r\n')])
def test_rows_are_added_replaced_and_removed_in_order(tmp_path, change):
    path = tmp_path / 't.csv'
    write_table(path, Item, ITEMS)
    path.write_bytes(change(path.read_text()).encode())
    change_table(path, Item, [Item('c', 'é', 3.0), Item('a', 'z', 2.5)], remove=['d', 'unknown'])
    expected = [Item('a', 'z', 2.5), ITEMS[1], Item('c', 'é', 3.0)]
    assert rows(path) == expected
    whole = tmp_path / 'whole.csv'
    write_table(whole, Item, expected)
    assert path.read_bytes() == whole.read_bytes()


def test_a_missing_table_is_made_and_one_without_a_change_is_not_written(tmp_path):
    path = tmp_path / 't.csv'
    change_table(path, Item, [], remove=['a'])
    assert not path.exists()
    change_table(path, Item, ITEMS)
    before = path.stat()
    change_table(path, Item, ITEMS[:1], remove=['c'])
    assert path.stat() == before
    assert rows(path) == ITEMS


def test_names_with_commas_and_spaces_are_replaced_and_removed(tmp_path):
    path, names = tmp_path / 't.csv', ['a', 'a b', 'a,b', 'a-b']
    for number in (1.0, 2.0):
        for name in names:
            change_table(path, Item, [Item(name, 'x', number)])
    assert sorted(rows(path), key=lambda item: item.name) == [Item(name, 'x', 2.0) for name in names]
    change_table(path, Item, [], remove=['a', 'a,b'])
    assert [item.name for item in rows(path)] == ['a b', 'a-b']


def test_a_name_in_another_unicode_form_is_the_same(tmp_path):
    path = tmp_path / 't.csv'
    path.write_text('name,text,number\ne\u0301,x,1.0\n')
    change_table(path, Item, [Item('\u00e9', 'y', 2.0)])
    assert rows(path) == [Item('\u00e9', 'y', 2.0)]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('number,name\n', 'header must be'),
        ('name,text,number\na,x,1.0\na,x,2.0\n', 'a is already on line 2'),
        ('name,text,number\na,x,1.0\nb,x', 'needs 3 values'),
        ('name,text,number\na,"x\ny",no\n', 'number must be a number'),
    ],
)
def test_a_table_that_was_not_written_so_is_read_in_full(tmp_path, text, message):
    path = tmp_path / 't.csv'
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        change_table(path, Item, ITEMS)
    assert path.read_text() == text


def test_quoted_text_over_several_lines_is_kept(tmp_path):
    path = tmp_path / 't.csv'
    write_table(path, Item, [Item('b', 'one\ntwo', 1.0)])
    change_table(path, Item, [Item('a', 'x', 2.0)])
    assert rows(path) == [Item('a', 'x', 2.0), Item('b', 'one\ntwo', 1.0)]


def test_a_text_with_any_end_of_a_line_is_kept(tmp_path):
    path = tmp_path / 't.csv'
    texts = [Item('a', 'one\rtwo', 1.0), Item('b', 'one\r\ntwo\n', 2.0), Item('c', '\r', 3.0)]
    write_table(path, Item, texts)
    assert rows(path) == texts
    change_table(path, Item, [Item('d', '\rx', 4.0)], remove=['b'])
    assert rows(path) == [texts[0], texts[2], Item('d', '\rx', 4.0)]
