"""Names that become paths."""

import pytest

from vpd_mm.errors import UserError
from vpd_mm.files import check_video_name, checked_name, list_folder, npz_path

EVIL = [
    '',
    '.',
    '..',
    '../x',
    '/etc/x',
    'a/b',
    'a\\b',
    '.hidden',
    'a\0b',
    'a\x1b[2J',
    '\ud800',
    'a' * 201,
    'a\nb',
    ' a',
    'a ',
]


@pytest.mark.parametrize('name', EVIL)
def test_a_name_that_could_leave_the_folder_is_refused(name, tmp_path):
    with pytest.raises(UserError, match='name') as raised:
        npz_path(tmp_path, name)
    assert str(raised.value).isprintable()
    with pytest.raises(UserError, match='name'):
        checked_name('run', name)


def test_names_of_videos_may_have_spaces_and_accents(tmp_path):
    assert npz_path(tmp_path, 'Läufer 1__final.2') == tmp_path / 'Läufer 1__final.2.npz'
    assert check_video_name('a') == 'a'


def test_two_unicode_forms_are_one_name(tmp_path):
    typed, macos = 'L\u00e4ufer', 'La\u0308ufer'
    assert check_video_name(macos) == typed
    assert npz_path(tmp_path, macos) == tmp_path / f'{typed}.npz'
    (tmp_path / f'{macos}.npz').touch()
    assert npz_path(tmp_path, typed) == tmp_path / f'{macos}.npz'


def test_hidden_entries_are_not_listed(tmp_path):
    for name in ('b.npz', 'a.npz', '._a.npz', '.DS_Store', 'c/d.npz', '.Trashes/e.npz', 'c/.f/g.npz'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_folder(tmp_path) == [tmp_path / name for name in ('a.npz', 'b.npz', 'c')]
    assert list_folder(tmp_path, '**/*.npz') == [tmp_path / name for name in ('a.npz', 'b.npz', 'c/d.npz')]
    assert list_folder(tmp_path / '.Trashes') == [tmp_path / '.Trashes' / 'e.npz']  # asked for
    assert list_folder(tmp_path / 'none') == []


def test_a_name_whose_decomposed_form_no_folder_holds_is_missing_or_there(tmp_path):
    name = '각' * 28
    path = npz_path(tmp_path, name)
    assert path == tmp_path / f'{name}.npz'
    path.touch()
    assert npz_path(tmp_path, name) == path
