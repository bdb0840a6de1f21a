"""Features of a clip network: its frames and weights, and the marking of random weights."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vpd_mm.baselines.clip_features import ClipFeatureExtractor, build_clip_network, run_name
from vpd_mm.corpus import CropStore, FeatureStore
from vpd_mm.errors import UserError
from vpd_mm.structures.npz_io import read_source

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'extract_features.py'
SMALL = dict(clip_len=4, stride=20, size=32)


@pytest.fixture(scope='module')
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp('weights') / 'mc3.pth'
    torch.save(build_clip_network('mc3_18', 'random').state_dict(), path)
    return path


def test_a_feature_is_the_network_output_on_the_surrounding_frames(baseline_corpus, weights):
    store = CropStore(baseline_corpus.crops_dir)
    feats = ClipFeatureExtractor('mc3_18', weights, **SMALL).extract(store, 'a')
    assert feats.frame_inds.tolist() == [0, 20, 40]
    assert feats.feats.shape == (3, 2, 512)
    net = build_clip_network('mc3_18', weights).eval()
    mean, sd = np.array([0.43216, 0.394666, 0.37645]), np.array([0.22803, 0.22145, 0.216989])
    for i, frames in enumerate(([0, 0, 0, 1], [18, 19, 20, 21])):  # the first frame is repeated
        crops = np.stack([cv2.resize(store.crop('a', f), (32, 32)) for f in frames])
        clip = torch.from_numpy(((crops / 255 - mean) / sd).transpose(3, 0, 1, 2)).float()[None]
        with torch.no_grad():
            seen, flipped = net(clip)[0], net(clip.flip(-1))[0]
        np.testing.assert_allclose(feats.feats[i], torch.stack([seen, flipped]), atol=1e-4)


def test_the_classifier_is_ignored_and_other_networks_are_refused(weights, tmp_path):
    state = torch.load(weights, weights_only=True)
    torch.save(
        {'state_dict': state | {'fc.weight': torch.zeros(400, 512), 'fc.bias': torch.zeros(400)}}, tmp_path / 'k'
    )
    net = build_clip_network('mc3_18', tmp_path / 'k')
    torch.testing.assert_close(net.state_dict()['stem.0.weight'], state['stem.0.weight'])
    with pytest.raises(UserError, match=r'mc3\.pth: is not of r3d_18'):
        build_clip_network('r3d_18', weights)
    with pytest.raises(UserError, match=r'nothing\.pth: no such file'):
        build_clip_network('mc3_18', tmp_path / 'nothing.pth')
    with pytest.raises(UserError, match='must be one of'):
        build_clip_network('i3d', weights)


def test_random_weights_are_reported(caplog):
    build_clip_network('mc3_18', 'random')
    assert 'RANDOM WEIGHTS' in caplog.text
    assert run_name('mc3_18', 'random', None) == 'mc3_18-random'
    assert run_name('mc3_18', 'x.pth', None) == 'mc3_18'
    with pytest.raises(UserError, match="use a name with 'random' in it"):
        run_name('mc3_18', 'random', 'kinetics')


def test_the_tool_writes_a_feature_run(baseline_corpus, weights, run_python, tmp_path):
    common = ['--corpus', baseline_corpus.root, '--network', 'mc3_18', '--clip-len', 4, '--stride', 25]
    done = run_python(TOOL, 'clips', weights, *common, '--out', 'mc3', cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    store = FeatureStore(baseline_corpus.features_dir('mc3'))
    assert (store.videos(), store.dims) == (['a', 'b'], 512)
    made_by = read_source(baseline_corpus.features_dir('mc3') / 'a.npz')
    assert made_by['network'] == 'mc3_18'
    done = run_python(TOOL, 'clips', 'random', *common, '--out', 'mc3', cwd=tmp_path)
    assert done.returncode == 1
    assert "use a name with 'random' in it" in done.stderr
