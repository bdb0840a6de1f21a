"""The cache of downloaded weights."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from zoo_server import serve

from vpd_mm.compat import load_checkpoint_safely
from vpd_mm.engine.paths import find_weights
from vpd_mm.errors import UserError


def checkpoint(value: float) -> tuple[bytes, str]:
    """A checkpoint, and the first digits of its SHA-256."""
    buffer = io.BytesIO()
    torch.save({'state_dict': {'weight': torch.full((100,), value)}}, buffer)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()[:8]


WEIGHTS, DIGEST = checkpoint(1.0)
#: Names of OpenMMLab and torch.
NAMES = (f'rtmdet_m_20220719_112220-{DIGEST}.pth', f'rtmpose-m_{DIGEST}-20230504.pth', f'r_{DIGEST}_20230504.pth')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv('TORCH_HOME', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    return tmp_path / 'torch' / 'hub' / 'checkpoints'


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != '.lock')


@pytest.mark.parametrize('name', NAMES)
def test_weights_are_downloaded_once(folder, name):
    with serve({name: WEIGHTS}) as zoo:
        path = find_weights(zoo.url(name))
        assert find_weights(zoo.url(name)) == path
        assert (path, zoo.requests) == (str(folder / name), [''])
    assert names(folder) == [name]
    assert load_checkpoint_safely(path)['state_dict']['weight'][0] == 1


def test_torch_home_and_files_that_were_copied_there(folder, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    copied = tmp_path / 'home' / 'hub' / 'checkpoints' / NAMES[0]
    copied.parent.mkdir(parents=True)
    copied.write_bytes(WEIGHTS)
    copied.parent.chmod(0o500)  # nothing is written beside it
    assert find_weights(f'https://download.openmmlab.com/x/{NAMES[0]}') == str(copied)
    copied.parent.chmod(0o700)


def test_a_damaged_copy_is_replaced(folder):
    folder.mkdir(parents=True)
    (folder / NAMES[0]).write_bytes(WEIGHTS[:-1])
    with serve({NAMES[0]: WEIGHTS}) as zoo:
        assert Path(find_weights(zoo.url(NAMES[0]))).read_bytes() == WEIGHTS
    (folder / NAMES[0]).write_bytes(WEIGHTS[:-1])
    with pytest.raises(UserError, match=r'^cannot download http://.*\(Connection refused\)$'):
        find_weights(zoo.url(NAMES[0]))


def test_different_weights_may_have_one_name(folder):
    """Such as epoch_40.pth; a date is no hash."""
    other, _ = checkpoint(2.0)
    for name in ('epoch_40.pth', 'rtmw-x_256x192-20231122.pth'):
        with serve({f'a/{name}': WEIGHTS, f'b/{name}': other}) as zoo:
            paths = [find_weights(zoo.url(f'{part}/{name}')) for part in 'ab']
        assert [load_checkpoint_safely(path)['state_dict']['weight'][0] for path in paths] == [1, 2]


def test_two_processes_at_once(folder):
    """Each has its own lock, as two processes do."""
    with serve({NAMES[0]: WEIGHTS}, delay=0.05) as zoo, ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(find_weights, [zoo.url(NAMES[0])] * 2))
        assert zoo.requests == ['']
    assert [Path(path).read_bytes() for path in paths] == [WEIGHTS] * 2


@pytest.mark.parametrize('name', ['%2e%2e%2f%2e%2e%2fx-0123abcd.pth', '.x-0123abcd.pth', 'x y-0123abcd.pth', ''])
def test_a_name_does_not_leave_the_folder(folder, monkeypatch, name):
    calls = []
    monkeypatch.setattr('vpd_mm.engine.checkpoint_download.download', lambda url, path, *_: calls.append(path))
    assert Path(find_weights(f'https://host/{name}')).parent == folder
    assert calls[0].parent == folder
    assert not calls[0].name.startswith('.')
