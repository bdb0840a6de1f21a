"""tools/extract_features.py with several ranks, and with poses from another source."""

import shutil
from pathlib import Path

import pytest
from extract_features import main
from inference_files import STUDENT, save_model
from mmengine.config import Config

from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.engine.run import build_runner
from vpd_mm.errors import UserError
from vpd_mm.features import joint_features
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.structures import PoseSequence


@pytest.fixture
def extract(tmp_path, monkeypatch, corpus):
    """Run the tool as one rank of a launcher."""
    save_model(tmp_path, 'student', STUDENT.format(dims=26))

    def run(rank, world, out, *options):
        for name, value in (('RANK', rank), ('WORLD_SIZE', world), ('LOCAL_RANK', rank)):
            monkeypatch.setenv(name, str(value))
        model = [str(tmp_path / 'student.py'), str(tmp_path / 'student.pth')]
        return main([*model, '--corpus', str(corpus.root), '--out', out, '--device', 'cpu', *options])

    return run


def test_an_ablation_is_extracted_with_the_config_of_its_training(tmp_path, corpus, capsys):
    config = Path(__file__).resolve().parents[2] / 'configs/distill/resnet34_2d-vpd_1000e.py'
    cfg = adapt_config(Config.fromfile(config), str(corpus.root), stream='nomotion-noflow', protocol='paper')
    loader = dict(batch_size=2, num_workers=0, persistent_workers=False, sampler=dict(num_samples=4))
    cfg.merge_from_dict(dict(train_cfg=dict(max_epochs=1), train_dataloader=loader, val_dataloader=loader))
    cfg.model.student.backbone = dict(type='mmpose.ResNet', depth=18, base_channels=8, out_indices=(3,))
    cfg.work_dir = str(tmp_path)
    build_runner(cfg).train()
    [best] = tmp_path.glob('best_*.pth')
    command = [str(config), str(best), '--corpus', str(corpus.root), '--out', 'rgb', '--device', 'cpu']
    assert main(command) == 0
    assert 'rgb: 2 videos written, 2 in total, D = 26' in capsys.readouterr().out
    (tmp_path / config.name).unlink()
    shutil.rmtree(next(tmp_path.glob('*/vis_data')))
    with pytest.raises(UserError, match=r'leaves corpus to a corpus, and .* has no complete config'):
        main(command)


def test_a_rank_without_videos_succeeds(extract, capsys):
    assert extract(5, 6, 'idle') == 0
    assert '0 videos written, 0 in total, D = 26' in capsys.readouterr().out


def test_preview_skips_videos_of_other_ranks(extract, corpus, capsys):
    out = corpus.features_dir('shared')
    assert extract(0, 2, 'shared', '--preview') == 0
    assert 'no preview of 1 videos: other processes' in capsys.readouterr().out
    assert sorted(p.name for p in (out / 'preview').iterdir()) == ['a.mp4', 'a.png', 'a_action.jpg']
    assert extract(1, 2, 'shared') == 0
    assert extract(0, 2, 'shared', '--preview') == 0
    assert 'no preview' not in capsys.readouterr().out
    assert (out / 'preview' / 'b.mp4').is_file()


def test_joints_of_another_pose_set_are_refused(tmp_path, corpus):
    poses = PoseSequence.load(corpus.root / 'ground_truth' / 'a.npz')
    made = Corpus.create(tmp_path / 'c')
    for name, video in (('files', 'a'), ('mediapipe', 'a'), ('mediapipe', 'b')):
        poses.save(made.pose_path(name, video))
    assert [joint_features(made, 'files') for _ in range(2)] == [1, 0]
    PoseSequence(poses.frame_inds[1:], poses.keypoints[1:], poses.scores[1:]).save(made.pose_path('files', 'a'))
    assert [joint_features(made, 'files') for _ in range(2)] == [1, 0], 'changed poses give new joints'
    with pytest.raises(
        UserError, match=r"files made of {'poses': 'files'}.*requested: {'poses': 'mediapipe'}; pass ano"
    ):
        joint_features(made, 'mediapipe')
    assert joint_features(made, 'mediapipe', 'others') == 2
    # a folder of an older version does not record its source
    (made.root / 'teacher' / 'joints.sources.json').unlink()
    assert joint_features(made, 'mediapipe') == 1
    assert FeatureStore(made.teacher_dir('joints')).videos() == ['a', 'b']
