"""The record of the configs that trainings wrote: place and content count; without a folder there is a warning."""

import pytest

from vpd_mm.engine import written_configs
from vpd_mm.engine.config import read_config
from vpd_mm.engine.paths import find_config
from vpd_mm.engine.written_configs import is_recorded, record_configs
from vpd_mm.errors import UserError


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_STATE_HOME', str(tmp_path / 'state'))
    return tmp_path / 'state' / 'vpd_mm' / 'written_configs.txt'


def test_a_config_counts_at_its_place_with_its_content(tmp_path, monkeypatch):
    ours, other = tmp_path / 'a.py', tmp_path / 'b.py'
    for path in (ours, other):
        path.write_text('model = 1')
    assert not is_recorded(ours)
    record_configs([ours])
    monkeypatch.chdir(tmp_path)
    assert is_recorded('a.py')
    assert not is_recorded(other)
    assert not is_recorded(tmp_path / 'none.py')
    ours.write_text('model = 2')
    assert not is_recorded(ours)


def test_the_record_keeps_the_newest(tmp_path, monkeypatch, state):
    monkeypatch.setattr(written_configs, 'MAX_ENTRIES', 2)
    paths = [tmp_path / f'{i}\n.py' for i in range(3)]
    for path in paths:
        path.write_text('')
        record_configs([path])
    record_configs([paths[2]])
    assert [is_recorded(path) for path in paths] == [False, True, True]
    assert len(state.read_text().splitlines()) == 2


def test_a_record_that_cannot_be_written_or_read_is_a_warning(tmp_path, state, caplog):
    (tmp_path / 'a.py').write_text('')
    state.parent.parent.write_text('a file in place of the folder')
    record_configs([tmp_path / 'a.py'])
    assert 'tools will ask for the config of this training' in caplog.text
    assert not is_recorded(tmp_path / 'a.py')
    state.parent.parent.unlink()
    state.parent.mkdir(parents=True)
    state.write_bytes(b'\xff')
    assert not is_recorded(tmp_path / 'a.py')


@pytest.mark.parametrize('name', ['evil.yaml', 'evil.json', 'evil'])
def test_other_files_than_python_are_no_configs(tmp_path, name):
    mark = tmp_path / 'was_run'
    (tmp_path / name).write_text(f'model: !!python/object/apply:os.system ["touch {mark}"]\n')
    for find in (read_config, find_config):
        with pytest.raises(UserError, match=rf'{name}: must be a Python file'):
            find(str(tmp_path / name))
    assert not mark.exists()
