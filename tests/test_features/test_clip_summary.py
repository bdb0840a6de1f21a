import numpy as np
import pytest

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.features.clip_summary import describe_splits
from vpd_mm.structures import Action, FeatureSequence, save_actions


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    corpus.add_videos(VideoInfo(video, '', 25.0, 20, 64, 48) for video in 'abc')
    splits = {'a:0': 'train', 'a:1': 'val', 'b:0': 'test', 'b:1': 'test', 'c:0': 'test'}
    actions = [Action(name, name[0], 0, 5, i % 2, split) for i, (name, split) in enumerate(splits.items())]
    save_actions(corpus.actions_path, actions)
    return corpus


def features(corpus, name, trained_on):
    """Features of the three videos; ``trained_on`` has their record, as far as there is one."""
    for video in 'abc':
        known = {'trained_on': video in trained_on} if trained_on is not None else {}
        sequence = FeatureSequence(np.arange(20), np.zeros((20, 2, 4), np.float32), np.ones(20, np.float32))
        sequence.save(corpus.features_dir(name) / f'{video}.npz', {'inputs': {}, **known})


def test_test_clips_that_the_student_has_seen_are_a_warning(corpus):
    for name, trained_on in (('seen', 'ab'), ('unseen', 'a'), ('unknown', None)):
        features(corpus, name, trained_on)
    lines, warnings = describe_splits(corpus, ['seen', 'unseen', 'unknown', 'seen+unseen'])
    assert lines == [
        'train: 1 clips, videos: 1, classes: 1',
        'val: 1 clips, videos: 1, classes: 1',
        'test: 3 clips, videos: 2, classes: 2',
        'the student of unseen was trained on the videos of none of the 3 test clips',
    ]
    assert [line.partition(':')[0] for line in warnings] == [
        f'the student of {name} was trained on the videos of 2 of 3 test clips' for name in ('seen', 'seen+unseen')
    ]


def test_test_clips_of_training_videos_are_a_warning(corpus):
    save_actions(corpus.actions_path, [Action('a:0', 'a', 0, 5, 0, 'train'), Action('a:1', 'a', 6, 9, 0, 'test')])
    assert describe_splits(corpus)[1] == [
        '1 of 1 test clips are of videos with training or validation clips: the results flatter, new videos give worse '
        'ones'
    ]
