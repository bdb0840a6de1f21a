import csv
import runpy
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.corpus.sports import Sport
from vpd_mm.errors import UserError
from vpd_mm.features import Window, joint_features
from vpd_mm.retrieve import (
    NEAREST,
    ActionClips,
    ClipQuery,
    DTWRetriever,
    find_query,
    items_to_exclude,
    load_clips,
    rank_corpus,
    ranking_context,
)
from vpd_mm.retrieve.side_by_side import TILE
from vpd_mm.structures import Action, PoseSequence, load_actions, save_actions, save_classes
from vpd_mm.visualize.panels import legend
from vpd_mm.visualize.skeleton import SIDES

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden_retrieve.npz'
TOOL = Path(__file__).parents[2] / 'tools' / 'retrieve.py'


@pytest.fixture
def corpus(tmp_path):
    """12 videos of 60 frames, three kinds of motion, 24 actions; video 11 has no poses and no joints."""
    corpus = Corpus.create(tmp_path / 'small')
    rng = np.random.default_rng(0)
    corpus.add_videos([VideoInfo(f'v{i}', '', 25.0, 60, 640, 480) for i in range(12)])
    body = rng.normal(0, 60, (17, 2)) + 300
    sways = rng.normal(0, 25, (3, 17, 2))
    actions = []
    for i in range(12):
        phase = np.sin(np.arange(60) / (4 + i % 3) + rng.normal())[:, None, None]
        keypoints = (body + phase * sways[i % 3] + rng.normal(0, 1, (60, 17, 2))).astype(np.float32)
        if i < 11:
            poses = PoseSequence(np.arange(60), keypoints, np.ones((60, 17), np.float32))
            poses.save(corpus.pose_path('files', f'v{i}'))
        split = 'test' if i >= 8 else 'train'
        actions += [Action(f'v{i}_{s}', f'v{i}', s, s + 25, i % 3, split) for s in (2, 30)]
    save_actions(corpus.actions_path, actions)
    save_classes(corpus.classes_path, ['bow', 'sway', 'turn'])
    joint_features(corpus, 'files')
    return corpus


def test_actions_without_features_are_listed_and_refused(corpus):
    with pytest.raises(UserError, match=r'2 of 24 actions have no joints features: v11_2 .*, v11_30 '):
        load_clips(corpus, 'joints')
    clips = load_clips(corpus, 'joints', allow_missing=True)
    assert len(clips) == 22
    assert clips.clips[0].shape == (25, 2, 26)
    with pytest.raises(UserError, match=r"split 'val': .* there are actions of test, train"):
        clips.of_split('val')


def test_ranking_excludes_the_query_and_finds_its_class(corpus):
    clips = load_clips(corpus, 'joints', allow_missing=True)
    result, metrics = rank_corpus(clips, clips, ks=(1, 5))
    assert not (result.inds == np.arange(22)[:, None]).any()
    assert metrics['precision@1'] == 1
    assert 0.8 < metrics['precision@5'] <= metrics['hit@5'] == 1
    result, _ = rank_corpus(clips.of_split('test'), clips.of_split('train'), ks=(16,))
    assert result.inds.shape == (6, 16)


def labelled(*rows):
    """Clips (video, start, end, label) with ids a0, a1, ...; the features tell the frames."""
    actions = [Action(f'a{i}', *row, 'train') for i, row in enumerate(rows)]
    feats = [np.arange(a.start_frame, a.end_frame, dtype=np.float32)[:, None, None].repeat(2, 1) for a in actions]
    return ActionClips(actions, feats)


def test_a_query_does_not_find_the_frames_it_is_made_of():
    whole = ('v', 0, 230, 0)
    clips = labelled(
        ('v', 0, 50, 0), whole, whole, ('v', 49, 60, 1), ('v', 50, 90, 1), ('w', 0, 50, 0), ('v', 230, 240, 0)
    )
    left_out = [items.tolist() for items in items_to_exclude(clips.actions, clips.actions)]
    assert left_out == [[0, 1, 2, 3], *[[0, 1, 2, 3, 4]] * 2, [0, 1, 2, 3, 4], [1, 2, 3, 4], [5], [6]]
    assert [items.tolist() for items in items_to_exclude(clips.actions, clips.actions, 'paper')] == [
        [i] for i in range(7)
    ]
    free = ClipQuery(None, 'v', 50, 60, clips.clips[0])
    assert items_to_exclude([free], clips.actions)[0].tolist() == [1, 2, 3, 4]
    nearest, metrics = rank_corpus(clips, clips, [1])
    assert nearest.inds[:, 0].tolist() == [5, 5, 5, 6, 0, 0, 3]
    context = ranking_context(clips, clips)
    assert (context.overlapping, context.candidates.tolist()) == (18, [3, 2, 2, 2, 3, 6, 6])
    assert context.relevant.tolist() == [2, 2, 2, 0, 0, 4, 4]
    assert metrics['precision@1'] == pytest.approx(4 / 7)


def test_precision_stands_beside_that_of_a_random_order():
    """Of candidates in random order, by all orders: 2 queries of class 0 (1 of 3 right), 2 of class 1."""
    clips = labelled(*((f'v{i}', 0, 9, int(i > 1)) for i in range(4)))
    context = ranking_context(clips, clips)
    assert (context.num_queries, context.num_gallery, context.num_classes, context.overlapping) == (4, 4, 2, 0)
    metrics = {'precision@1': 0.25, 'hit@1': 0.25, 'precision@2': 0.5, 'hit@2': 1.0}
    precision, hit = context.shares(metrics, 2)
    assert (precision.chance, hit.chance, context.best(2)) == pytest.approx((1 / 3, 2 / 3, 1 / 2))
    assert (precision.value, precision.n) == (0.5, 4)
    [low, unclear] = context.notes(metrics, [1, 2])
    assert low == 'precision@1: 25.0 % of 4 queries is below chance (33.3 %)'
    assert 'cannot be told from chance' in unclear
    assert ranking_context(clips, labelled(('w', 0, 9, 0))).notes({'precision@1': 1.0, 'hit@1': 1.0}, [1]) == [
        '2 of 4 queries have no other clip of their class to find'
    ]


def test_window_and_rate_reach_the_clips(corpus):
    clips = load_clips(corpus, 'joints', Sport(Window(0.2, 0.4), fps=None), allow_missing=True)
    assert [len(clip) for clip in clips.clips[:2]] == [2 + 25 + 10, 5 + 25 + 5]
    assert len(load_clips(corpus, 'joints', Sport(fps=12.5), allow_missing=True).clips[0]) == 13


@pytest.fixture(scope='module')
def golden():
    """Results of run_action_retrieval and KnnModel (jhong93/vpd): 18 clips of 3 to 120 frames, 2 without features."""
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture(scope='module')
def golden_clips(golden):
    clips = np.split(golden['feats'], golden['lengths'].cumsum()[:-1])
    actions = [Action(f'a{i:02d}', 'v', 0, 1, int(label), 'train') for i, label in enumerate(golden['labels'])]
    return ActionClips(actions, clips, [Action(f'z{i}', 'v', 0, 1, i, 'train') for i in range(2)])


@pytest.mark.parametrize('device', ['cpu', 'cpu:0'])
def test_ranking_of_the_paper_equals_the_published_code(golden, golden_clips, device):
    ks = golden['ks'].tolist()
    nearest, metrics = rank_corpus(golden_clips, golden_clips, ks, device, 'paper')
    np.testing.assert_allclose(nearest.distances, golden['distances'], rtol=1e-6)
    for inds, expected, distances in zip(nearest.inds, golden['inds'], nearest.distances, strict=True):
        finite = distances < np.inf
        np.testing.assert_array_equal(inds[finite], expected[finite])
        np.testing.assert_array_equal(np.sort(inds), np.sort(expected))  # the order at infinity is that of a heap
        assert inds[~finite].tolist() == sorted(inds[~finite])
    assert np.isinf(nearest.distances[:, -1]).sum() == np.isinf(golden['distances'][:, -1]).sum() > 0
    subset = [golden_clips.actions[i] for i in golden['subset']], [golden_clips.clips[i] for i in golden['subset']]
    _, few = rank_corpus(ActionClips(*subset, golden_clips.missing[:1]), golden_clips, ks, device, 'paper')
    for values, prefix in ((metrics, ''), (few, 'subset_')):
        for name in ('hit', 'precision'):
            found = [100 * values[f'{name}@{k}'] for k in (1, 10)]
            np.testing.assert_allclose(found, golden[prefix + name][[0, 2]], atol=0.005)


def test_nearest_neighbours_of_the_paper_equal_the_published_code(golden, golden_clips):
    clips, train, test = golden_clips.clips, golden['train'], golden['test']
    queries, gallery = [clips[i] for i in test], [clips[i] for i in train]
    nearest = DTWRetriever(gallery, **NEAREST['paper']).search(queries, 1)
    np.testing.assert_array_equal(train[nearest.inds[:, 0]], golden['nearest'])
    paths = DTWRetriever(gallery, **NEAREST['paper'], fallback=False).search(queries, 1)
    assert np.isinf(paths.distances[:, 0]).tolist() == [False] * 4 + [True] * 2 + [False] + [True] * 2
    original = DTWRetriever(gallery).search(queries, 1)  # without the flipped view of the query
    assert (train[original.inds[:, 0]] != golden['nearest']).any()


def test_queries_are_ids_or_intervals(corpus):
    clips = load_clips(corpus, 'joints', allow_missing=True)
    query = find_query(corpus, 'joints', clips, 'v3_30')
    assert (query.video, query.start_frame, query.end_frame) == ('v3', 30, 55)
    free = find_query(corpus, 'joints', clips, 'v3:30-55')
    assert free.action is None
    np.testing.assert_array_equal(free.feats, query.feats)
    for text, message in {
        'v3_31': 'neither the id of an action',
        'v3:30-61': 'end <= 60',
        'v11:0-9': 'no joints features',
        'v99:0-9': "no video 'v99'",
    }.items():
        with pytest.raises(UserError, match=message):
            find_query(corpus, 'joints', clips, text)


def test_tool_refuses_early_what_it_cannot_write(corpus, tmp_path):
    (tmp_path / 'file').touch()
    for out in ('x' * 260, 'file/x.csv'):
        with pytest.raises(UserError, match=r'longer than 255 bytes|file is no folder'):
            run_tool(corpus, '--features', 'none', '--out', tmp_path / out)


def test_tool_refuses_options_that_change_nothing(corpus):
    for options, message in (
        (['--query', 'v3_30', '--ks', 3], '--ks: changes nothing with --query; leave it out'),
        (['--query', 'v3_30', '--out', 'q.csv'], '--out: changes nothing with --query'),
        (['--query', 'v3_30', '--split', 'val'], '--split: changes nothing with --query'),
        (['--top', 3], '--top: changes nothing without --query'),
        (['--show', 'x.png'], '--show: changes nothing without --query'),
    ):
        with pytest.raises(UserError, match=message):
            run_tool(corpus, *options)


def test_tool_replaces_its_own_files_only(corpus, tmp_path):
    ranking = ['--split', 'test', '--gallery-split', 'train', '--ks', 1, '--out']
    labels = corpus.actions_path.read_bytes()
    (tmp_path / 'link.csv').symlink_to(corpus.actions_path)
    for out in (corpus.actions_path, tmp_path / 'link.csv'):
        for options in ([], ['--overwrite']):
            with pytest.raises(UserError, match='is an input of this command'):
                run_tool(corpus, *ranking, out, *options)
    assert corpus.actions_path.read_bytes() == labels
    (tmp_path / 'mine.csv').write_text('a,b\n')
    with pytest.raises(UserError, match=r'mine\.csv: exists and was not written by this tool'):
        run_tool(corpus, *ranking, tmp_path / 'mine.csv')
    for options in (['--overwrite'], []):
        run_tool(corpus, *ranking, tmp_path / 'mine.csv', *options)
    (tmp_path / 'x.png').write_bytes(b'mine')
    with pytest.raises(UserError, match=r'x\.png: exists and was not'):
        run_tool(corpus, '--query', 'v3_30', '--show', tmp_path / 'x.png')
    for options in (['--overwrite'], []):
        run_tool(corpus, '--query', 'v3_30', '--top', 1, '--show', tmp_path / 'x.png', *options)


def test_default_ks_are_those_that_fit(corpus, tmp_path, capsys):
    assert run_tool(corpus) == 0
    printed = capsys.readouterr().out
    assert printed.startswith('k = 1, 10: a gallery of 22 clips is too small for more (--ks selects others)')


def test_a_clip_that_cannot_be_shown_costs_that_clip(corpus, tmp_path, capsys):
    query = ['--query', 'v3_30', '--top', 3, '--show', tmp_path / 'x.png']
    assert run_tool(corpus, *query) == 0
    rows = len(cv2.imread(str(tmp_path / 'x.png'))) // 4
    hit = capsys.readouterr().out.split('v')[-1]
    for path in corpus.root.glob('athlete/poses/*/v3.npz'):
        path.write_bytes(b'damaged')
    assert run_tool(corpus, *query) == 1
    assert 'error: v3:' in capsys.readouterr().err, hit
    assert len(cv2.imread(str(tmp_path / 'x.png'))) < 4 * rows


def run_tool(corpus, *argv):
    main = runpy.run_path(str(TOOL))['main']
    return main(['--corpus', str(corpus.root), '--features', 'joints', '--allow-missing', *map(str, argv)])


def test_tool_ranks_a_corpus(corpus, capsys):
    run_tool(corpus, '--split', 'test', '--gallery-split', 'train', '--ks', 2, 1, 2, '--out', corpus.root / 'ranks.csv')
    text = capsys.readouterr().out
    assert 'joints: 6 queries, 16 clips, 3 classes; in %' in text
    [first, _] = ([cell.strip() for cell in line.split('│')] for line in text.splitlines() if '│' in line)
    assert first[1:6] == ['1', '100.00', '61.0 to 100.0', '33.33', '100.00']
    rows = list(csv.DictReader((corpus.root / 'ranks.csv').open()))
    assert len(rows) == 6 * 2
    assert rows[0]['query_class'] == rows[0]['class'] == 'turn'
    assert float(rows[0]['distance']) <= float(rows[1]['distance'])
    assert rows[0]['step_pattern'] == 'symmetricP2'
    for ks, message in {(0,): r'1 to 16, .*, found \[0\]', (1, 17): r'1 to 16, .*, found \[1, 17\]'}.items():
        with pytest.raises(UserError, match=f'--ks must be {message}'):
            run_tool(corpus, '--split', 'test', '--gallery-split', 'train', '--ks', *ks)


def test_tool_joins_features_by_plus_and_still_by_a_space(corpus, capsys):
    few = ('--split', 'test', '--gallery-split', 'train', '--ks', 1)
    run_tool(corpus, '--features', 'teacher/joints+joints', *few)
    joined = capsys.readouterr().out.partition('\n')[0]
    assert 'teacher/joints+joints: 6 queries' in joined
    with pytest.warns(DeprecationWarning, match=r'joints joints is .*; write --features teacher/joints\+joints'):
        run_tool(corpus, '--features', 'teacher/joints', 'joints', *few)
    assert capsys.readouterr().out.partition('\n')[0] == joined


def test_tool_says_what_it_leaves_out_and_what_comes_last(corpus, capsys):
    more = [Action('v3_again', 'v3', 0, 40, 0, 'train'), Action('v3_long', 'v3', 0, 60, 0, 'test')]
    save_actions(corpus.actions_path, [*load_actions(corpus.actions_path), *more])
    run_tool(corpus, '--query', 'v3_30', '--top', 30)
    text = capsys.readouterr().out
    hits = [line.split('│')[2].strip() for line in text.splitlines() if '│' in line]
    assert len(hits) == 24 - 3
    assert not {'v3_30', 'v3_again', 'v3_long'} & {*hits}
    assert 'left out, as they overlap with the query in its video: 2 (v3_again, v3_long)' in text
    run_tool(corpus, '--query', 'v4_2', '--top', 30)
    text = capsys.readouterr().out
    assert '* more than about 1.5 times longer or shorter than the query' in text
    assert [line for line in text.splitlines() if '│' in line][-1].rstrip(' │').endswith('*')
    run_tool(corpus)
    text = capsys.readouterr().out
    assert 'left out, as they overlap in one video: 10 pairs of a query and a clip' in text
    assert 'neighbours: more than about 1.5 times' in text
    save_actions(corpus.actions_path, more)
    with pytest.raises(UserError, match=r'all 2 clips of the gallery overlap with it'):
        run_tool(corpus, '--query', 'v3_long')
    with pytest.raises(UserError, match=r'no query has another clip to find; label more actions'):
        run_tool(corpus)


@pytest.mark.parametrize(
    ('dataset', 'argv', 'queries', 'frames'),
    [
        ('tennis7', [], 8, 25),  # [start - 0.5 s, start + 0.5 s)
        ('tennis7', ['--protocol', 'paper'], 8, 50),  # every frame
        ('tennis7', ['--after-sec', 0.1, '--fps', 0], 8, 30),
        ('diving48', [], 4, 1),
    ],
)
def test_tool_reads_what_the_data_set_decides(tmp_path, monkeypatch, dataset, argv, queries, frames):
    actions = [Action(f'a{i}', f'v{i}', 60, 61, i % 2, ['train', 'test'][i // 4]) for i in range(8)]
    corpus = make_corpus(tmp_path / 'c', {f'v{i}': (50.0, 200) for i in range(8)}, actions, dataset=dataset)
    seen = []
    monkeypatch.setattr('vpd_mm.retrieve.rank_corpus', lambda *args: seen.append(args) or rank_corpus(*args))
    run_tool(corpus, '--ks', 1, *argv)
    [(found, gallery, *_)] = seen
    assert (len(found), len(gallery)) == (queries, 8)
    assert {len(clip) for clip in gallery.clips} == {frames}


def test_tool_shows_a_query_beside_its_results(corpus, capsys):
    run_tool(corpus, '--query', 'v3_30', '--top', 3, '--show', corpus.root / 'x.png')
    assert 'most similar to v3_30 (bow)' in capsys.readouterr().out
    sheet = cv2.imread(str(corpus.root / 'x.png'))
    assert sheet.shape == (4 * (TILE + 32) + len(legend(8 * TILE, SIDES)), 8 * TILE, 3)
    assert (sheet[30:170, 20:140] > 100).any()
    run_tool(corpus, '--query', 'v3:5-20', '--top', 4, '--show', corpus.root / 'x.mp4')
    with av.open(str(corpus.root / 'x.mp4')) as video:
        frames = [frame.to_ndarray(format='rgb24') for frame in video.decode(video=0)]
    assert len(frames) == 25
    assert frames[0].shape == (2 * (TILE + 39) + len(legend(3 * TILE, SIDES)), 3 * TILE, 3)  # two lines of caption
    with pytest.raises(UserError, match=r'must end in \.png \(an image\) or \.mp4'):
        run_tool(corpus, '--query', 'v3_30', '--show', corpus.root / 'x.gif')
