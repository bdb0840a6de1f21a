"""Every upstream break is there without vpd_mm and gone with it: the same probes in two processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vpd_mm.compat import BRIDGES

from . import probes

ROOT = Path(__file__).parents[2]
# Probe -> the bridge that fixes it.
BRIDGE_OF = {
    'mmcv_version_limit': None,  # the probe invents the version, so the table of this environment does not name it
    'mmengine_pkg_resources': 'mmengine pkg_resources',
    'xtcocotools': 'xtcocotools',
    'torchvision_ops': 'torchvision operators',
    'mmengine_env': 'mmengine collect_env',
    'mmengine_env_of_a_broken_torchvision': 'mmengine collect_env',
    'checkpoint': 'mmengine checkpoints',
    'mmcv_ops': 'mmcv.ops',
    'mmaction_metadata': None,  # torch may put setuptools' private copy within reach
    'mmaction_drn': 'mmaction2 DRN',
    'decord': 'mmaction2 decord',
    'pose_compact': 'mmaction2 np.Inf',
    'mean_class_accuracy': 'mmaction2 mean class accuracy',
}


@pytest.fixture(scope='module')
def answers(tmp_path_factory):
    """Both runs at once: mode -> what probes.py printed."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    runs = {}
    for mode in ('plain', 'bridged'):
        command = [sys.executable, probes.__file__, mode, str(tmp_path_factory.mktemp(mode))]
        runs[mode] = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        )
    outputs = {mode: run.communicate() for mode, run in runs.items()}
    return {mode: json.loads(out.splitlines()[-1]) if out else {'error': err} for mode, (out, err) in outputs.items()}


@pytest.mark.parametrize('name', [probe.__name__ for probe in probes.PROBES])
def test_bridge_fixes_the_break_and_applies_where_it_is(answers, name):
    assert answers['bridged']['probes'][name] == 'ok'
    if answers['plain']['probes'][name] != 'ok' and BRIDGE_OF[name] is not None:
        assert answers['bridged']['needed'][BRIDGE_OF[name]]


@pytest.mark.parametrize('name', probes.PACKAGES)
def test_package_imports(answers, name):
    assert answers['bridged']['imports'][name] == 'ok'


def test_every_bridge_names_upstream():
    for bridge in BRIDGES:
        assert bridge.upstream.startswith('https://github.com/') or '.py:' in bridge.upstream
        assert bridge.stand_ins or bridge.around


@pytest.mark.parametrize(('text', 'multimodal'), [('', False), ('apply_chunking_to_forward = None', True)])
def test_new_transformers_leaves_out_the_multimodal_models(tmp_path, text, multimodal):
    """mmaction2 takes any installed transformers, but its VindLU imports a name that version 5 dropped."""
    for name, content in {
        'transformers/__init__.py': '',
        'transformers/modeling_utils.py': text,
        'transformers-5.17.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: transformers\nVersion: 5.17.0\n',
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    command = 'import vpd_mm, mmaction.utils.dependency as dependency; print(dependency.WITH_MULTIMODAL)'
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
    run = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', command], env=environment, capture_output=True, text=True
    )
    assert run.stdout.split()[-1:] == [str(multimodal)], run.stderr
