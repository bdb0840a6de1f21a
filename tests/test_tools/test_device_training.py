"""Training with augmentation on the device, here the CPU, as a user types it."""

from pathlib import Path

import numpy as np
import pytest
from forked import curve_of
from tiny_corpus import make_tiny

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
_base_ = ['{root}/configs/distill/resnet18_2d-vpd_40e_real.py']
model = dict(student=dict(backbone=dict(base_channels=8)))
train_dataloader = dict(batch_size=8, sampler=dict(num_samples=32, seed=3))
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(max_keep_ckpts=-1))
"""


@pytest.mark.full
def test_training_is_that_of_the_loader_processes_and_resumes_with_the_same_draws(tmp_path, run_python):
    make_tiny(tmp_path / 'tiny', {'a': 60, 'b': 30})
    (tmp_path / 'config.py').write_text(CONFIG.format(root=ROOT))

    def train(name, handover, *arguments):
        option = f'train_dataloader.dataset.handover={handover}'
        command = ['config.py', '--corpus', 'tiny', '--epochs', '2', '--seed', '5', '--work-dir', name, *arguments]
        done = run_python(ROOT / 'tools/train.py', *command, '--cfg-options', option, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        return curve_of(tmp_path / name)

    augmented, encoded = train('augmented', 'augmented'), train('encoded', 'encoded')
    assert set(encoded) == set(augmented) == set(range(1, 9))
    losses = np.array([[curve[step] for step in range(1, 9)] for curve in (augmented, encoded)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)  # pixels differ by rounding
    assert not np.array_equal(*losses)
    resumed = train('resumed', 'encoded', '--resume', 'encoded/epoch_1.pth')
    assert resumed == {step: encoded[step] for step in range(5, 9)}
