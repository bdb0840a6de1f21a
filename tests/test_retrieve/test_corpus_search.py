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
from vpd_mm.retrieve import NEAREST, ActionClips, DTWRetriever, find_query, load_clips, rank_corpus
from vpd_mm.retrieve.side_by_side import TILE
from vpd_mm.structures import Action, PoseSequence, save_actions, save_classes
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
    with pytest.raises(UserError, match=r'2 of 24 actions have no joints features: v11_2 .*; v11_30 '):
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
    same = ['--query', 'v3_30', '--show', tmp_path / 's.png', '--out', tmp_path / '.' / 's.png']
    with pytest.raises(UserError, match=r's\.png: --out and --show are the same file'):
        run_tool(corpus, *same)


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
    assert printed.startswith('k = 1, 10: 22 clips are too few for more (--ks selects others)')


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
    run_tool(corpus, '--split', 'test', '--gallery-split', 'train', '--ks', 1, 2, '--out', corpus.root / 'ranks.csv')
    text = capsys.readouterr().out
    assert '100.00 %' in text
    rows = list(csv.DictReader((corpus.root / 'ranks.csv').open()))
    assert len(rows) == 6 * 2
    assert rows[0]['query_class'] == rows[0]['class'] == 'turn'
    assert float(rows[0]['distance']) <= float(rows[1]['distance'])


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
    assert sheet.shape == (4 * (TILE + 22) + len(legend(8 * TILE, SIDES)), 8 * TILE, 3)
    assert (sheet[30:170, 20:140] > 100).any()
    run_tool(corpus, '--query', 'v3:5-20', '--top', 4, '--show', corpus.root / 'x.mp4')
    with av.open(str(corpus.root / 'x.mp4')) as video:
        frames = [frame.to_ndarray(format='rgb24') for frame in video.decode(video=0)]
    assert len(frames) == 25
    assert frames[0].shape == (2 * (TILE + 22) + len(legend(3 * TILE, SIDES)), 3 * TILE, 3)
    with pytest.raises(UserError, match=r'must end in \.png \(an image\) or \.mp4'):
        run_tool(corpus, '--query', 'v3_30', '--show', corpus.root / 'x.gif')
