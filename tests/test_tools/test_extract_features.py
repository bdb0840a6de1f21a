"""tools/extract_features.py with several ranks, and with poses from another source."""

import shutil
from pathlib import Path

import lmdb
import pytest
from extract_features import main
from inference_files import STUDENT, save_model
from media import build_corpus, make_video
from mmengine.config import Config

from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.corpus.shard import VIDEOS, unseal
from vpd_mm.corpus.stale_files import sources_in
from vpd_mm.distill import CropDataset
from vpd_mm.engine.run import build_runner
from vpd_mm.errors import UserError
from vpd_mm.features import joint_features
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.prepare.inspector import inspect_corpus
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


def test_a_corpus_that_was_made_in_another_way_is_warned_of(extract, tmp_path, corpus, capsys):
    assert extract(0, 1, 'former') == 0
    assert 'student.pth: does not record how its corpus was made' in capsys.readouterr().err
    for recipe, lines in (
        ({'size': 32, 'subtract_median': False}, []),
        (
            {'size': 64, 'flow': 'dis', 'subtract_median': True, 'fps': 25, 'boxes': 'full'},
            [
                'size 32 in 2 videos (first a), of the student 64',
                'flow known in 2 videos (first a), of the student dis',
                'subtract_median False in 2 videos (first a), of the student True',
                'fps as decoded, of the student 25',
            ],
        ),
    ):
        save_model(tmp_path, 'student', STUDENT.format(dims=26), meta={'recipe': recipe})
        assert extract(0, 1, f'run{len(lines)}') == 0
        warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith('warning: ')]
        assert warnings == [f'warning: {corpus.root}: {line}' for line in lines]
    save_model(tmp_path, 'student', STUDENT.format(dims=26), meta={'recipe': {'size': 'x'}})
    with pytest.raises(UserError, match=r'student\.pth: recipe: size must be a whole number'):
        extract(0, 1, 'bad')


def test_options_that_are_not_read_are_refused(extract, corpus):
    for option in ('train_cfg.max_epochs=9', 'test_dataloader.batch_size=9', 'optim_wrapper.optimizer.lr=1'):
        with pytest.raises(UserError, match=r'changes nothing: tools/extract_features\.py does not read it'):
            extract(0, 1, 'run', '--cfg-options', option)
    with pytest.raises(UserError, match='--cfg-options: joints reads no config'):
        main(['joints', '--corpus', str(corpus.root), '--cfg-options', 'model.foo=9'])


def test_the_only_pose_set_needs_no_option(tmp_path, corpus):
    poses = PoseSequence.load(corpus.root / 'ground_truth' / 'a.npz')
    made = Corpus.create(tmp_path / 'c')
    poses.save(made.pose_path('mediapipe', 'a'))
    assert main(['joints', '--corpus', str(made.root)]) == 0
    assert sources_in(made.teacher_dir('joints')) == [{'poses': 'mediapipe'}]
    poses.save(made.pose_path('others', 'a'))
    with pytest.raises(UserError, match=r'no poses; .* has pose sets: mediapipe, others'):
        main(['joints', '--corpus', str(made.root), '--out', 'second'])


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
    (tmp_path / 'config.py').unlink()
    shutil.rmtree(next(tmp_path.glob('*/vis_data')))
    with pytest.raises(UserError, match=r'leaves corpus to a corpus, and .* has no complete config'):
        main(command)


def test_a_rank_without_videos_succeeds(extract, capsys):
    assert extract(5, 6, 'idle') == 0
    assert '0 videos written, 0 in total, D = 26' in capsys.readouterr().out


def test_preview_skips_videos_of_other_ranks(extract, corpus, capsys):
    out = corpus.features_dir('shared')
    assert extract(0, 2, 'shared', '--preview') == 0
    assert 'no preview of 1 video: other processes' in capsys.readouterr().out
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
    # a file of an older version does not record its source
    FeatureStore(made.teacher_dir('joints'))['a'].save(made.teacher_dir('joints') / 'a.npz')
    with pytest.raises(UserError, match='files made of unknown inputs'):
        joint_features(made, 'files')
    assert joint_features(made, 'mediapipe', overwrite=True) == 2
    assert FeatureStore(made.teacher_dir('joints')).videos() == ['a', 'b']


@pytest.mark.parametrize('name', [b'../../../../x/notes', b'\xff\xfe'])
def test_names_of_a_foreign_shard_never_leave_the_corpus(extract, corpus, tmp_path, name):
    copy = Corpus.open(shutil.copytree(corpus.root, tmp_path / 'deep' / 'er' / 'c'))
    (shard,) = copy.crops_dir.glob('*.lmdb')
    env = lmdb.open(str(shard), subdir=False, lock=False, map_size=16 << 20)
    with env.begin(write=True) as txn:
        for kind in (b'h/', b'c/'):
            for key, value in [(key, value) for key, value in txn.cursor() if key.startswith(kind + b'b')]:
                txn.put(kind + name + key[3:], unseal(key, value))
        txn.delete(VIDEOS)
    env.close()
    before = sorted(tmp_path.rglob('*'))
    commands = [
        lambda: extract(0, 1, 'z', '--corpus', str(copy.root)),
        lambda: CropDataset(copy.root, 'joints', []),
    ]
    for command in commands:
        with pytest.raises(UserError, match='names no video') as caught:
            command()
        assert str(caught.value).isprintable()
    assert all('names no video' in report.failures[0] for report in inspect_corpus(copy.root).videos)
    [(_, line)] = build_corpus([make_video(tmp_path / 'videos' / 'v.mp4', 3)], copy.root).failures
    assert 'names no video' in line
    after = set(tmp_path.rglob('*')) - set(before)
    assert all(copy.root in path.parents or path.parent in (tmp_path, tmp_path / 'videos') for path in after)
    assert not any('notes' in path.name for path in after)


def test_damaged_crops_cost_one_video(extract, corpus, tmp_path):
    copy = Corpus.open(shutil.copytree(corpus.root, tmp_path / 'c'))
    (shard,) = copy.crops_dir.glob('*.lmdb')
    env = lmdb.open(str(shard), subdir=False, lock=False, map_size=16 << 20)
    with env.begin(write=True) as txn:
        key = b'c/a/0000000003'
        txn.put(key, txn.get(key)[:-1] + b'?')
    env.close()
    with pytest.raises(UserError, match=r"1 of 2 videos failed: a: .*video 'a', frame 3: differs from its checksum"):
        extract(0, 1, 'z', '--corpus', str(copy.root))
    assert FeatureStore(copy.features_dir('z')).videos() == ['b']
