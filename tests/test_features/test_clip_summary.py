import sys

import numpy as np
import pytest
from mmengine.config import Config
from train import next_command

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.engine.written_configs import record_configs
from vpd_mm.features.clip_summary import describe_splits, infer_command
from vpd_mm.structures import Action, FeatureSequence, save_actions


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    corpus.add_videos(VideoInfo(video, '', 25.0, 20, 64, 48) for video in 'abc')
    splits = {'a:0': 'train', 'a:1': 'val', 'b:0': 'test', 'b:1': 'test', 'c:0': 'test'}
    actions = [Action(name, name[0], 0, 5, i % 2, split) for i, (name, split) in enumerate(splits.items())]
    save_actions(corpus.actions_path, actions)
    return corpus


def features(corpus, name, trained_on, **more):
    """Features of the three videos; ``trained_on`` has their record, as far as there is one."""
    for video in 'abc':
        known = {'trained_on': video in trained_on} if trained_on is not None else {}
        sequence = FeatureSequence(np.arange(20), np.zeros((20, 2, 4), np.float32), np.ones(20, np.float32))
        sequence.save(corpus.features_dir(name) / f'{video}.npz', {'inputs': {}, **known, **more})


def test_test_clips_that_the_student_has_seen_are_a_warning(corpus):
    for name, trained_on in (('seen', 'ab'), ('unseen', 'a'), ('unknown', None)):
        features(corpus, name, trained_on)
    lines, warnings = describe_splits(corpus, ['seen', 'unseen', 'unknown', 'seen+unseen'])
    assert lines == [
        'train: 1 clip of 1 video, 1 class',
        'val: 1 clip of 1 video, 1 class',
        'test: 3 clips of 2 videos, 2 classes',
        'the student of unseen was trained on the videos of none of the 3 test clips',
    ]
    assert [line.partition(':')[0] for line in warnings] == [
        f'the student of {name} was trained on the videos of 2 of 3 test clips' for name in ('seen', 'seen+unseen')
    ]


def test_test_clips_of_training_videos_are_a_warning(corpus):
    save_actions(corpus.actions_path, [Action('a:0', 'a', 0, 5, 0, 'train'), Action('a:1', 'a', 6, 9, 0, 'test')])
    assert describe_splits(corpus)[1] == [
        '1 of 1 test clips from videos with training or validation clips: the results are too good, new videos give '
        'worse ones'
    ]


@pytest.fixture
def played(corpus, tmp_path, monkeypatch):
    """The corpus with features 'vpd' and 'other' of students, and the file of one video, which needs quotes."""
    monkeypatch.setattr(sys, 'argv', ['vpd-mm train'])
    (tmp_path / 'b c.mp4').touch()
    corpus.add_videos([VideoInfo('b', str(tmp_path / 'b c.mp4'), 25.0, 20, 64, 48)])
    (tmp_path / 'student').mkdir()
    (tmp_path / 'student' / 'best_loss_epoch_1.pth').touch()
    written = tmp_path / 'student' / 'config.py'
    written.touch()
    record_configs([written])
    for name, student in (('vpd', 'student'), ('other', 'student'), ('gone', 'deleted')):
        features(corpus, name, None, student=str(tmp_path / student))
    features(corpus, 'unknown', None)
    return corpus


def test_a_model_on_the_features_of_one_student_is_used_on_a_video(played, tmp_path, monkeypatch):
    expected = f"vpd-mm infer '{tmp_path}/b c.mp4' --student {tmp_path}/student --recognizer w"
    assert infer_command(played, 'vpd', '--recognizer', 'w') == expected
    assert infer_command(played, ['features/vpd'], '--recognizer', 'w') == expected
    for name in ('vpd+other', 'gone', 'unknown'):
        assert infer_command(played, name, '--recognizer', 'w') == ''
    monkeypatch.chdir(tmp_path)
    assert infer_command(played, 'vpd', '--scorer', 'w').endswith("b c.mp4' --student student --scorer w")
    (tmp_path / 'b c.mp4').unlink()
    assert infer_command(played, 'vpd', '--recognizer', 'w') == ''


def test_train_names_the_command_that_uses_the_result(played, tmp_path):
    def named(model, test=True, **dataset):
        loader = dict(dataset=dict(corpus=str(played.root), **dataset))
        tested = dict(test_dataloader=loader) if test else {}
        return next_command(Config(dict(work_dir='w', model=dict(type=model), train_dataloader=loader, **tested)))

    extract = f'vpd-mm extract_features w --corpus {played.root}'
    assert named('vpd_mm.PoseDistiller', teacher='joints') == f'{extract} --out vpd --preview'
    assert named('vpd_mm.PoseDistiller', teacher='vipe') == extract
    assert named('vpd_mm.FrameScorer', features='vpd') == infer_command(played, 'vpd', '--scorer', 'w') != ''
    assert named('vpd_mm.SequenceRecognizer', features=['vpd', 'other']) == 'vpd-mm test w'
    assert named('mmaction.RecognizerGCN') == 'vpd-mm test w'
    assert named('mmaction.RecognizerGCN', test=False) == ''
