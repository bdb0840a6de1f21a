"""Messages of errors."""

from vpd_mm.errors import MAX_MESSAGE, UserError, counted, listed


def test_a_message_is_one_printable_line_of_limited_length():
    text = str(UserError('a\x1b[2Jb\nc\ud800 é ' + 'x' * 2_000_000 + 'the hint'))
    assert text.startswith('a\\x1b[2Jb c\\ud800 é x')
    assert text.endswith('the hint')
    assert text.isprintable()
    assert len(text) == MAX_MESSAGE


def test_counts_have_their_noun_in_singular_or_plural():
    assert [counted(n, 'video') for n in (0, 1, 2)] == ['0 videos', '1 video', '2 videos']
    assert [counted(2, noun) for noun in ('class', 'query', 'batch')] == ['2 classes', '2 queries', '2 batches']


def test_of_many_names_the_first_ones_are_listed():
    assert listed(list('abc'), 3) == 'a, b, c'
    assert listed(list('abcde'), 3) == 'a, b, c and 2 more'
    assert listed([]) == ''
