"""Names that become paths."""

import pytest

from vpd_mm.errors import UserError
from vpd_mm.files import check_video_name, checked_name, npz_path

EVIL = ['', '.', '..', '../x', '/etc/x', 'a/b', 'a\\b', '.hidden', 'a\0b', 'a\x1b[2J', '\ud800', 'a' * 201, 'a\nb']


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
