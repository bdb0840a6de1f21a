"""Id lists and the validation split."""

from collections import Counter

import pytest

from vpd_mm.errors import UserError
from vpd_mm.importers import LabelSet
from vpd_mm.importers.release_lists import read_few_shot, read_labels, read_localize
from vpd_mm.structures import Action


def make_actions(num_videos=200, num_classes=4, each=1):
    return [
        Action(f'{v}:{i}', f'v{v}', i, i + 1, (v + i) % num_classes, 'train' if v % 4 else 'test')
        for v in range(num_videos)
        for i in range(each)
    ]


def split(actions, share=0.2, seed=0):
    return LabelSet('a sport', {}, [], actions).with_validation(share, seed).actions


def test_every_class_gives_its_share():
    actions = make_actions()
    before = Counter(a.label for a in actions if a.split == 'train')
    after = Counter(a.label for a in split(actions) if a.split == 'val')
    assert after == {label: round(0.2 * count) for label, count in before.items()}


def test_videos_stay_together_and_test_is_unchanged():
    actions = make_actions(60, 3, each=5)
    result = split(actions)
    assert [a.action_id for a in result] == [a.action_id for a in actions]
    assert all(b.split == 'test' for a, b in zip(actions, result) if a.split == 'test')
    splits = {video: {a.split for a in result if a.video == video} for video in {a.video for a in actions}}
    assert all(len(s) == 1 for s in splits.values())
    assert 0.1 < sum(a.split == 'val' for a in result) / sum(a.split == 'train' for a in actions) < 0.3


def test_split_depends_on_the_seed_and_not_on_the_order():
    actions = make_actions()
    val = {a.action_id for a in split(actions) if a.split == 'val'}
    assert val == {a.action_id for a in split(actions[::-1]) if a.split == 'val'}
    assert val != {a.action_id for a in split(actions, seed=1) if a.split == 'val'}
    assert split(actions, share=0) == actions


def test_no_class_is_left_without_training_actions():
    actions = [Action('a', 'a', 0, 1, 0, 'train'), Action('b', 'b', 0, 1, 1, 'train')]
    assert split(actions, share=0.9) == actions
    with pytest.raises(UserError, match='must lie in'):
        split(actions, share=1.5)


def test_few_shot_lists(tmp_path):
    (tmp_path / 'train_4_0.ids.txt').write_text('b\na\n\nserve\n')
    (tmp_path / 'train_16_9.ids.txt').write_text('a')
    (tmp_path / 'val.ids.txt').write_text('zzz')
    actions = [Action(name, 'v', 0, 1, 0, split) for name, split in (('a', 'train'), ('b', 'train'), ('c', 'test'))]
    assert read_few_shot(tmp_path, actions, others={'serve'}) == {(4, 0): ['a', 'b'], (16, 9): ['a']}
    assert read_few_shot(tmp_path, actions[:1], others=None) == {(4, 0): ['a'], (16, 9): ['a']}
    with pytest.raises(UserError, match=r'train_4_0\.ids\.txt: serve is not a training action'):
        read_few_shot(tmp_path, actions)


def test_localize_lists_keep_their_order(tmp_path):
    (tmp_path / 'train.localize.2.txt').write_text('y\nx\n')
    videos = {'front__x', 'back__x', 'front__y', 'back__y'}
    lists = read_localize(tmp_path, videos, ['front__', 'back__'])
    assert lists == {2: ['front__y', 'back__y', 'front__x', 'back__x']}
    with pytest.raises(UserError, match='video y is not in the table'):
        read_localize(tmp_path, {'x'})


def test_label_lines(tmp_path):
    path = tmp_path / 'all.txt'
    path.write_text('a x\n\nb y\n')
    assert read_labels(path) == {'a': 'x', 'b': 'y'}
    for content, message in [
        (b'a x\na y\n', r'all\.txt:2: id a occurs twice'),
        (b'a\n', r'all\.txt:1: needs "id label"'),
        (b'\xff\xfe\x00a', r'all\.txt: not in UTF-8'),
    ]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_labels(path)
    with pytest.raises(UserError, match='no such file'):
        read_labels(tmp_path / 'none.txt')
