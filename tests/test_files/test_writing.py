"""Writing results: complete or not at all, and only over files of this project."""

import errno
import os

import pytest

from vpd_mm.errors import UserError
from vpd_mm.files import MARK, append, atomic_write, check_output, open_output, remove_unfinished


def test_a_failed_write_leaves_only_the_old_file(tmp_path):
    (tmp_path / 'x').write_bytes(b'old')

    def fail():
        with atomic_write(tmp_path / 'x') as f:
            f.write(b'new')
            raise RuntimeError('power cut')

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / 'x').read_bytes() == b'old'
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_of_the_disk_names_the_file(tmp_path):
    def fail():
        with atomic_write(tmp_path / 'x') as f:
            f.write(b'new')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match='No space left') as raised:
        fail()
    assert raised.value.filename == str(tmp_path / 'x')


@pytest.mark.parametrize('name', ['x' * 251 + '.csv', '日' * 83 + '.csv.x'])
def test_a_name_of_the_longest_length_can_be_written(tmp_path, name):
    with open_output(tmp_path / name, 'w') as f:
        f.write('é')
    assert (tmp_path / name).read_bytes() == b'\xc3\xa9'


def test_an_error_never_names_the_temporary_file(tmp_path):
    (tmp_path / 'folder').mkdir()
    with pytest.raises(OSError, match='Is a directory') as raised, atomic_write(tmp_path / 'folder'):
        pass
    assert (raised.value.filename, raised.value.filename2) == (str(tmp_path / 'folder'), None)
    with pytest.raises(OSError, match='too long') as raised, atomic_write(tmp_path / ('x' * 256)):
        pass
    assert raised.value.filename == str(tmp_path / ('x' * 256))
    with pytest.raises(FileNotFoundError) as raised, atomic_write(tmp_path / 'x'):
        (tmp_path / 'input').stat()
    assert raised.value.filename == str(tmp_path / 'input')


def test_a_path_that_cannot_be_written_is_refused_early(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    (tmp_path / 'link').symlink_to('nowhere')
    for name, problem in (
        ('x' * 256, 'longer than 255 bytes'),
        ('日' * 86 + '/x', 'longer than 255 bytes'),
        ('file/x', 'file is no folder'),
        ('file/a/b/x', 'file is no folder'),
        ('link/x', 'link is no folder'),
    ):
        with pytest.raises(UserError, match=problem):
            check_output(tmp_path / name, overwrite=True)
    check_output(tmp_path / 'a' / 'b' / ('x' * 255))
    monkeypatch.setattr(os, 'access', lambda path, mode: path != tmp_path)  # root may write everywhere
    with pytest.raises(UserError, match=f'no permission to write into {tmp_path}'):
        check_output(tmp_path / 'a' / 'x')


def test_a_file_of_ours_is_replaced_and_a_foreign_one_is_not(tmp_path):
    path = tmp_path / 'x'
    for text in ('first', 'second'):
        with open_output(path, 'w') as f:
            f.write(text + ' ' * 200_000 + MARK)
    assert path.read_text().startswith('second')
    path.write_text('of the user')
    with pytest.raises(UserError, match=r'exists and was not written by this tool.*--overwrite'):
        check_output(path)
    assert path.read_text() == 'of the user'
    with open_output(path, 'w', overwrite=True) as f:
        f.write('on request')
    assert path.read_text() == 'on request'


def test_a_table_is_recognised_by_its_header(tmp_path):
    path = tmp_path / 'x.csv'
    path.write_text('query,rank\na,1\n')
    check_output(path, mark='query,rank\n')
    with pytest.raises(UserError, match='not written by this tool'):
        check_output(path, mark='action_id,video\n')


@pytest.mark.parametrize('overwrite', [False, True])
def test_what_is_no_regular_file_is_never_replaced(tmp_path, overwrite):
    os.mkfifo(tmp_path / 'fifo')
    (tmp_path / 'link').symlink_to(tmp_path / 'nowhere')
    (tmp_path / 'folder').mkdir()
    for name in ('fifo', 'link', 'folder'):
        with pytest.raises(UserError, match=r'regular file|not written by this tool|cannot be opened'):
            check_output(tmp_path / name, overwrite=overwrite)


def test_no_input_is_replaced_even_on_request(tmp_path):
    (tmp_path / 'corpus').mkdir()
    labels, video = tmp_path / 'corpus' / 'actions.csv', tmp_path / 'video.mp4'
    labels.write_text('a,b\n')
    video.write_text(MARK)  # of ours, and an input all the same
    for name, target in (('link.csv', labels), ('link.mp4', video)):
        (tmp_path / name).symlink_to(target)
    os.link(video, tmp_path / 'hard.mp4')
    inputs = [tmp_path / 'corpus', video, tmp_path / 'none']
    for name in ('corpus/actions.csv', 'link.csv', 'video.mp4', 'link.mp4', 'hard.mp4', 'corpus/../video.mp4'):
        with pytest.raises(UserError, match='is an input of this command'):
            check_output(tmp_path / name, overwrite=True, inputs=inputs)
    (tmp_path / 'corpus' / 'sheet.png').write_text(MARK)
    check_output(tmp_path / 'corpus' / 'sheet.png', inputs=inputs)  # ours, in the folder of the corpus
    check_output(tmp_path / 'corpus' / 'new.png', inputs=inputs)


def test_append_adds_to_a_file_or_makes_it(tmp_path):
    append(tmp_path / 'x', b'one\n')
    append(tmp_path / 'x', b'two\n')
    assert (tmp_path / 'x').read_bytes() == b'one\ntwo\n'
    (tmp_path / 'link').symlink_to('x')
    with pytest.raises(UserError, match='is a link'):
        append(tmp_path / 'link', b'three\n')


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    (tmp_path / 'x').write_bytes(b'old')
    monkeypatch.setattr(os, 'fsync', _full)
    with pytest.raises(OSError, match='No space left') as raised:
        append(tmp_path / 'x', b'new')
    assert raised.value.filename == str(tmp_path / 'x')
    assert (tmp_path / 'x').read_bytes() == b'old'


def _full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_only_unfinished_files_of_that_name_are_removed(tmp_path):
    for name in ('[a].csv', '.[a].csv.k1.tmp', '.[a].csv.k2.tmp', '.b.csv.k3.tmp', 'a.tmp'):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path / '[a].csv')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.b.csv.k3.tmp', '[a].csv', 'a.tmp']


def test_another_writer_leaves_a_file_alone_that_is_about_to_get_its_name(tmp_path, monkeypatch):
    rename = os.replace

    def write_before(temporary, path):
        monkeypatch.setattr(os, 'replace', rename)
        with atomic_write(path) as f:
            f.write(b'second')
        rename(temporary, path)

    monkeypatch.setattr(os, 'replace', write_before)
    with atomic_write(tmp_path / 'x') as f:
        f.write(b'first')
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b'first']


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root, which can become another user')
def test_the_file_that_another_user_left_does_not_stop_a_write(tmp_path):
    tmp_path.chmod(0o777)
    (tmp_path / '.x.0.tmp').touch(0o600)
    pid = os.fork()
    if pid == 0:
        os.chdir(tmp_path)  # whose parents the other user may not enter
        os.setuid(65534)
        with atomic_write('x') as f:
            f.write(b'new')
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert (tmp_path / 'x').read_bytes() == b'new'


def test_the_file_of_a_killed_process_is_made_anew_and_that_of_another_writer_is_not(tmp_path):
    pid = os.fork()
    if pid == 0:
        with atomic_write(tmp_path / 'x') as f:
            f.write(b'of the killed process, longer')
            f.flush()
            os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    (left,) = tmp_path.iterdir()
    left.chmod(0o600)  # made under another umask
    os.link(left, tmp_path / '.y.0.tmp')  # a file of another name would be written through
    (tmp_path / '.z.0.tmp').symlink_to(left)
    (tmp_path / 'new').touch()
    with atomic_write(tmp_path / 'y') as f:
        f.write(b'y')
    with atomic_write(tmp_path / 'z') as f:
        f.write(b'z')
    (tmp_path / '.z.0.tmp').unlink()
    assert left.read_bytes() == b'of the killed process, longer'
    with atomic_write(tmp_path / 'x') as first, atomic_write(tmp_path / 'x') as second:
        first.write(b'first')
        second.write(b'second')
    assert (tmp_path / 'x').read_bytes() == b'first'  # renamed last
    assert sorted(path.name for path in tmp_path.iterdir()) == ['new', 'x', 'y', 'z']
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1
