"""Messages of errors."""

from vpd_mm.errors import MAX_MESSAGE, UserError


def test_a_message_is_one_printable_line_of_limited_length():
    text = str(UserError('a\x1b[2Jb\nc\ud800 é ' + 'x' * 2_000_000 + 'the hint'))
    assert text.startswith('a\\x1b[2Jb c\\ud800 é x')
    assert text.endswith('the hint')
    assert text.isprintable()
    assert len(text) == MAX_MESSAGE
