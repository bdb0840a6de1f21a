"""Resume of a stopped training; one process per folder; digests of settings."""

import resource

import pytest
from mmengine.config import Config

from vpd_mm.engine.resume import config_digest, sole_training, train_alone
from vpd_mm.errors import UserError


def test_a_folder_in_use_is_refused(tmp_path):
    folder = tmp_path / 'w'
    with sole_training(folder) as resume:
        assert not resume
        folder.mkdir()
        with pytest.raises(UserError, match=r'w: another process trains there'), sole_training(folder):
            pass
        assert folder.is_dir()


def test_a_full_disk_is_reported_with_the_lock(tmp_path):
    size = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, size[1]))
    try:
        with pytest.raises(OSError, match='too large') as raised, sole_training(tmp_path / 'w'):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, size)
    assert raised.value.filename == str(tmp_path / '.w.lock')


def test_digest_depends_on_settings_that_decide_the_numbers():
    cfg = Config({'model': {'dims': 3}, 'work_dir': 'a', 'load_from': None})
    assert config_digest(cfg) == 'b731956c'
    assert config_digest(Config({'model': {'dims': 3}, 'work_dir': 'b', 'load_from': 'x.pth'})) == 'b731956c'
    assert config_digest(Config({'model': {'dims': 4}})) != 'b731956c'
    assert config_digest(cfg, load_from='x.pth') != config_digest(cfg, load_from=None)


def test_a_training_is_not_replaced_and_not_shared(tmp_path):
    work_dir = tmp_path / 'work'
    with train_alone(work_dir, resume=None, overwrite=False):
        with (
            pytest.raises(UserError, match='another process trains there'),
            train_alone(work_dir, resume='auto', overwrite=False),
        ):
            pass
        work_dir.mkdir()
        (work_dir / 'epoch_2.pth').write_text('weights')
    with (
        pytest.raises(UserError, match=r'holds checkpoints \(epoch_2\.pth\); pass --resume'),
        train_alone(work_dir, resume=None, overwrite=False),
    ):
        pass
    for flags in ({'resume': 'auto', 'overwrite': False}, {'resume': None, 'overwrite': True}):
        with train_alone(work_dir, **flags):
            pass
    (work_dir / 'epoch_3.pth').write_text('weights')
    with train_alone(work_dir, resume=str(work_dir / 'epoch_3.pth'), overwrite=False):
        pass
    for resumed in (work_dir / 'epoch_2.pth', tmp_path / 'epoch_3.pth'):
        problem = rf'that {resumed} does not continue \(epoch_\d\.pth\); pass --resume to continue that training'
        with pytest.raises(UserError, match=problem), train_alone(work_dir, resume=str(resumed), overwrite=False):
            pass
