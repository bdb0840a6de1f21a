"""Opening files: regular files of limited size, valid text and JSON."""

import os

import pytest

from vpd_mm.errors import UserError
from vpd_mm.files import check_file, parse_json, read_bytes, read_json, read_text


def test_a_fifo_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / 'x')
    with pytest.raises(UserError, match='not a regular file'):
        read_bytes(tmp_path / 'x')


@pytest.mark.parametrize('path', ['/dev/zero', '/tmp'])
def test_devices_and_folders_are_refused(path):
    with pytest.raises(UserError, match=r'not a regular file|cannot be opened'):
        check_file(path)


def test_a_missing_file_says_how_it_is_made(tmp_path):
    with pytest.raises(UserError, match=r'x: no such file; run the step'):
        check_file(tmp_path / 'x', missing='run the step')
    with pytest.raises(UserError, match='cannot be opened'):
        check_file('a\0b')


def test_the_size_is_checked_before_reading(tmp_path):
    with (tmp_path / 'x').open('wb') as f:
        f.truncate(1 << 40)  # a sparse file
    with pytest.raises(UserError, match='1099511627776 bytes'):
        read_text(tmp_path / 'x')


def test_text_is_utf8_with_or_without_a_byte_order_mark(tmp_path):
    (tmp_path / 'x').write_bytes(b'\xef\xbb\xbfabc')
    assert read_text(tmp_path / 'x') == 'abc'
    (tmp_path / 'x').write_bytes(b'\xff')
    with pytest.raises(UserError, match='not in UTF-8'):
        read_text(tmp_path / 'x')


def test_json_round_trip(tmp_path):
    (tmp_path / 'x').write_text('{"a": [1, 2.5, "\\u00e9 \\ud83d\\ude00"]}')
    assert read_json(tmp_path / 'x', 'restore it') == {'a': [1, 2.5, 'é 😀']}


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('[' * 100_000, 'nested too deep'),
        ('"\\ud800"', 'surrogates not allowed'),
        ('{"a":', 'truncated or not JSON'),
        ('\udc80', 'not JSON'),
    ],
)
def test_invalid_json_is_one_line(text, problem):
    with pytest.raises(UserError, match=f'^here: .*{problem}.*; copy it') as raised:
        parse_json(text, 'here', 'copy it again')
    assert str(raised.value).isprintable()


def test_the_longest_numbers_that_stay_whole():
    for text in ('9' * 18, '-' + '9' * 17):
        assert type(parse_json(f'[{text}]', '', '')[0]) is int
    for text in ('9' * 19, '-' + '9' * 18):
        assert type(parse_json(f'[1, {text}]', '', '')[1]) is float
        assert parse_json(f'[1, "{text}"]', '', '') == [1, text]


def test_whole_numbers_beyond_64_bits_become_floats():
    text = f'[{2**53}, 1{"0" * 30}, 1{"0" * 400}]'
    assert parse_json(text, 'here', '') == [2**53, 1e30, float('inf')]
