"""Resume of a stopped training; one process per folder; digests of settings."""

import shutil

import numpy as np
import pytest
from mmengine.config import Config

from vpd_mm.engine.resume import config_digest, prepare_resume, sole_training
from vpd_mm.errors import UserError


def test_an_incomplete_checkpoint_is_not_resumed(tmp_path):
    folder = tmp_path / 'w'
    folder.mkdir()
    assert not prepare_resume(folder)
    folder.mkdir()
    np.savez(folder / 'epoch_1.npz', a=np.zeros(9))
    shutil.move(folder / 'epoch_1.npz', folder / 'epoch_1.pth')  # a zip, as torch writes
    (folder / 'last_checkpoint').write_text('elsewhere/epoch_1.pth')
    assert prepare_resume(folder)
    (folder / 'epoch_1.pth').write_bytes((folder / 'epoch_1.pth').read_bytes()[:40])
    assert not prepare_resume(folder)
    assert not folder.exists()


def test_a_folder_in_use_is_refused(tmp_path):
    folder = tmp_path / 'w'
    with sole_training(folder) as resume:
        assert not resume
        folder.mkdir()
        with pytest.raises(UserError, match=r'w: another process trains there'), sole_training(folder):
            pass
        assert folder.is_dir()


def test_digest_depends_on_settings_that_decide_the_numbers():
    cfg = Config({'model': {'dims': 3}, 'work_dir': 'a', 'load_from': None})
    assert config_digest(cfg) == 'b731956c'
    assert config_digest(Config({'model': {'dims': 3}, 'work_dir': 'b', 'load_from': 'x.pth'})) == 'b731956c'
    assert config_digest(Config({'model': {'dims': 4}})) != 'b731956c'
    assert config_digest(cfg, load_from='x.pth') != config_digest(cfg, load_from=None)
