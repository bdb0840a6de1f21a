"""Verdicts from files of known content: counts, chance levels, and the point from which a number is good."""

import json
import shutil

import numpy as np
import pytest
from mmengine.config import Config
from sequence_corpus import make_corpus
from tiny_corpus import make_tiny

from vpd_mm.corpus import CropWriter
from vpd_mm.errors import UserError
from vpd_mm.quickstart import chain, verdicts
from vpd_mm.retrieve import ActionClips
from vpd_mm.structures import Action


@pytest.mark.parametrize(('targets', 'epochs'), [(10, 5), (250, 5), (500, 10), (2000, 40), (90_000, 40)])
def test_epochs_follow_the_targets_within_limits(targets, epochs):
    assert chain.epochs_for(targets) == epochs


def actions_of(*parts):
    """Actions of ten frames: (video, label, split) each."""
    return [Action(f'a{i}', video, 10 * i, 10 * i + 10, label, split) for i, (video, label, split) in enumerate(parts)]


@pytest.mark.parametrize(
    ('parts', 'level', 'words'),
    [
        ([('v0', 0, 'train'), ('v1', 0, 'train'), ('v2', 0, 'val')], 'warn', 'no action is test; correct the column'),
        ([('v0', 0, 'train'), ('v1', 0, 'val'), ('v2', 0, 'test'), ('v0', 1, 'train')], 'warn', 'val and test: class1'),
        ([('v0', 0, 'train'), ('v0', 0, 'val'), ('v1', 0, 'test')], 'warn', 'of 1 of 2 videos are in several'),
        ([('v0', 0, 'train'), ('v1', 0, 'val'), ('v2', 0, 'test')], 'ok', '1 train, 1 val, 1 test'),
    ],
)  # fmt: skip
def test_labels_need_every_class_in_train_and_test_and_whole_videos(tmp_path, parts, level, words):
    videos = {f'v{i}': (25.0, 99) for i in range(3)}
    corpus = make_corpus(tmp_path / 'c', videos, actions_of(*parts), 1 + max(label for _, label, _ in parts))
    verdict = verdicts.judge_labels(corpus.root).verdict
    assert verdict.level == level
    assert words in f'{verdict.text} {verdict.hint}'
    if level == 'ok':
        verdict = verdicts.judge_labels(corpus.root, 'athlete', 1).verdict
        assert (verdict.level, verdict.hint.partition(' with')[0]) == ('warn', 'label more athletes: 1')
        assert verdict.text.endswith('so that whole athletes were divided.')


def test_the_constant_pose_is_the_mean_of_the_training_targets(tmp_path):
    make_tiny(tmp_path / 'c', {'a': 60, 'b': 30})
    dataset = dict(type='vpd_mm.CropDataset', corpus=str(tmp_path / 'c'), teacher='joints', pipeline=[])
    parts = {
        f'{p}_dataloader': dict(dataset=dict(dataset, subset=p, holdout='video', val_ratio=0.5))
        for p in ('train', 'val')
    }
    error, num_frames, videos, is_seen = verdicts.constant_pose(Config(parts))
    assert (len(videos), is_seen) == (1, False)
    # targets are normal with sd 0.3 for each coordinate: the mean distance is 0.3 sqrt(pi / 2) / 0.5
    assert error == pytest.approx(0.3 * np.sqrt(np.pi / 2) / 0.5, rel=0.1)
    assert 10 < num_frames < 60
    blocks = Config({name: dict(dataset=dict(part['dataset'], holdout='block')) for name, part in parts.items()})
    assert verdicts.constant_pose(blocks)[3]


@pytest.mark.parametrize(('hits', 'level', 'words'), [(10, 'ok', '100.0 % of 10'), (4, 'warn', 'label more videos')])
def test_retrieval_is_compared_with_chance(tmp_path, hits, level, words):
    rows = ['query,query_class,rank,action_id,class,distance,step_pattern']
    for i in range(10):
        own, other = ('kong', 'safety') if i % 2 else ('safety', 'kong')
        rows += [f'a{i},{own},1,b,{own if i < hits else other},0.5,', f'a{i},{own},2,c,{own},0.7,']
    (tmp_path / 'r.csv').write_text('\n'.join(rows))
    actions = actions_of(*((f'v{i}', i % 2, 'train') for i in range(10)))
    clips = ActionClips(actions, [np.zeros((1, 1, 2), np.float32)] * 10)
    verdict = verdicts.judge_retrieval(tmp_path / 'r.csv', clips, clips).verdict
    assert verdict.level == level
    assert words in f'{verdict.text} {verdict.hint}'


@pytest.mark.parametrize(('hits', 'level', 'words'), [(10, 'ok', '100.0 % of 10'), (4, 'warn', 'label more videos')])
def test_recognition_is_compared_with_chance(tmp_path, hits, level, words):
    rows = ['clip,label,prediction,score_kong,score_safety']
    for i in range(10):
        own, other = ('kong', 'safety') if i < 6 else ('safety', 'kong')
        rows.append(f'a{i},{own},{own if i < hits else other},0.4,0.6')
    (tmp_path / 'predictions.csv').write_text('\n'.join(rows))
    result = verdicts.judge_recognition(tmp_path)
    assert result.verdict.level == level
    assert words in f'{result.verdict.text} {result.verdict.hint}'
    assert result.blocks[0].rows[0] == ('a0', 'kong', 'kong', '40 %')
    doubted = verdicts.judge_recognition(tmp_path, (), ['the student has learnt little']).verdict
    assert doubted.level == 'warn'
    assert 'The student has learnt little.' in doubted.text
    (tmp_path / 'predictions.csv').write_text('\n'.join([*rows[:3], *rows[7:9]]))
    few = verdicts.judge_recognition(tmp_path).verdict
    assert few.level == 'warn'
    assert '4 clips are few: fewer than 10.' in few.text


def test_detection_repeats_what_the_numbers_rest_on(tmp_path):
    result = {'threshold': 0.3, 'threshold_from': 'folds', 'max_gap': 1, 'min_frames': 5, 'videos': 3, 'frames': 90}
    result |= {'intervals': 2, 'AP@0.3': 1, 'AP@0.5': 0.5, 'AP@0.7': 0, 'mAP': 0.4, 'chance_mAP': 0.1, 'notes': []}
    (tmp_path / 'ap.json').write_text(json.dumps(result))
    verdict = verdicts.judge_detection(tmp_path).verdict
    assert verdict.level == 'ok'
    assert verdict.text == 'AP@0.5 50.0 %, mAP 40.0 % (at random times 10.0 %) of 2 intervals in 3 test videos.'
    (tmp_path / 'ap.json').write_text(json.dumps({**result, 'notes': ['AP rests on few intervals']}))
    verdict = verdicts.judge_detection(tmp_path).verdict
    assert (verdict.level, verdict.hint) == ('warn', 'label more videos')
    assert verdict.text.endswith('AP rests on few intervals.')


def test_without_any_athlete_the_command_stops_and_says_why(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'v0': (25.0, 99)}, [])
    corpus.record_failures(['v0'], {'v0': 'no person found; ease min_score'})
    verdict = verdicts.judge_corpus(corpus.root, [tmp_path / 'v0.mp4']).verdict
    assert verdict.level == 'stop'
    assert 'no person found; ease min_score' in verdict.text


@pytest.mark.parametrize(
    ('parts', 'lacking'),
    [
        ([('v0', 0, 'train'), ('v0', 0, 'val'), ('v0', 0, 'test'), ('v0', 0, 'train')], 'there are 1 and 0:'),
        ([('v0', 0, 'train'), ('v1', 0, 'test')], 'there are 1 and 1:'),
        ([('v0', 0, 'train'), ('v1', 0, 'val'), ('v2', 0, 'test')], ''),
    ],
)
def test_a_detection_needs_three_videos(parts, lacking):
    text = verdicts.lacks_videos(actions_of(*parts))
    assert lacking in text
    assert bool(text) == bool(lacking)


def test_labels_of_whole_videos_leave_nothing_to_detect(tmp_path):
    actions = actions_of(('v0', 0, 'train'))
    corpus = make_corpus(tmp_path / 'c', {'v0': (25.0, 10), 'v1': (25.0, 20)}, actions)
    assert verdicts.is_whole_video(actions, corpus)
    assert not verdicts.is_whole_video(actions_of(('v1', 0, 'train')) * 2, corpus)  # overlapping halves


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('video,label\nrun.mp4,a\nwalk,b\nswim,b\n', r":4: video 'swim': not in the corpus"),
        ('video,label\nrun.mp4,a\nwalk,a\n', r"holds the class 'a' alone"),
        ('video,label\nrun.mp4,a\nwalk,b\n', r'no action is val; .* as there are fewer than three videos'),
        ('video,label,split\nrun.mp4,a,train\nwalk,b,validation\n', r':3: split must be one of train, val, test'),
    ],
)
def test_labels_are_checked_before_the_long_steps(tmp_path, text, error):
    (tmp_path / 'labels.csv').write_text(text)
    with pytest.raises(UserError, match=error):
        chain.check_labels(tmp_path / 'labels.csv', [tmp_path / 'run.mp4', tmp_path / 'walk.mp4'])


def test_only_videos_of_the_folder_that_are_not_left_out_are_counted(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {f'v{i}': (25.0, 10) for i in range(4)}, [])
    corpus.tracks_dir.mkdir(parents=True, exist_ok=True)
    for i in range(4):
        corpus.track_path(f'v{i}').write_bytes(b'')
    files = [tmp_path / f'v{i}.mp4' for i in range(3)]
    verdict = verdicts.judge_corpus(corpus.root, files).verdict
    assert verdict.text == '3 of 3 videos are prepared, 30 frames. Not in the folder any more, but still used: v3.'
    assert (verdict.level, verdict.hint.split()[-1]) == ('warn', 'v3')
    corpus.leave_out(['v3', 'v0'])
    verdict = verdicts.judge_corpus(corpus.root, files).verdict
    assert (verdict.level, verdict.text) == ('ok', '2 of 2 videos are prepared, 20 frames. 2 left out.')


def test_frames_without_a_vector_and_a_student_that_learnt_nothing_are_named(tmp_path):
    parts = actions_of(('v0', 0, 'train'), ('v1', 0, 'test'))
    videos, frames = {'v0': (25.0, 10), 'v1': (25.0, 20)}, {'v0': np.arange(6)}
    corpus = make_corpus(tmp_path / 'c', videos, parts, 1, frames=frames)
    shutil.copytree(corpus.teacher_dir('joints'), corpus.features_dir('vpd'))
    with CropWriter(corpus.crops_dir / 'shard-000.lmdb'):
        pass
    verdict = verdicts.judge_features(corpus.root, 'vpd', has_learnt=False).verdict
    assert '4 of 30 frames have none (no tracked athlete), most in v0 4 of 10.' in verdict.text
    assert (verdict.level, verdict.hint) == ('warn', 'the student is worse than a constant pose: nothing was learnt')
    text = verdicts.judge_labels(corpus.root, features='vpd').verdict.text
    assert text.endswith('1 train, 0 val, 1 test. 1 clip with frames without features.')
