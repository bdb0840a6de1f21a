"""Each data set of the paper from its public files to its tables, under both protocols."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import compare
import detect
import extract_features
import fewshot
import import_dataset
import numpy as np
import pandas as pd
import pytest
import retrieve
import train
from mmengine.config import Config
from mmengine.registry import init_default_scope
from paper_corpora import SPORTS, SportFiles, write_sport

from vpd_mm.corpus import PROTOCOLS, Corpus
from vpd_mm.features.corpus_config import adapt_config, datasets_of
from vpd_mm.registry import DATASETS
from vpd_mm.structures import FeatureSequence, load_actions, load_classes

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs'
STUDENTS = {'default': ('2d', 26), 'paper': ('vi', 64)}
BACKBONE = ['type=mmpose.ResNet', 'depth=18', 'base_channels=8', 'out_indices=(3,)']
SMALL_STUDENT = [f'model.student.backbone.{option}' for option in BACKBONE]
#: Place of ResizedCrop in the pipelines; the published code validates on augmented crops.
RESIZED = {'default': {'train': 4, 'val': 2, 'test': 2}, 'paper': {'train': 4, 'val': 4, 'test': 2}}
NO_WORKERS = [
    f'{part}_dataloader.{option}'
    for part in ('train', 'val')
    for option in ('num_workers=0', 'persistent_workers=False')
]
ONE_EPOCH = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'default_hooks.checkpoint.interval=1']
#: Cases of ``make test``.
SHORT = {('fsjump6', 'default'), ('tennis7', 'paper')}
SMALL_BIGRU = [*ONE_EPOCH, 'model.hidden_dims=16', 'model.backbone.hidden_dims=8']


def cases(*protocols: str) -> pytest.MarkDecorator:
    """Each data set under these protocols; the cases that are not among SHORT run with ``make test-full``."""
    pairs = [(sport, protocol) for sport in SPORTS for protocol in protocols]
    params = [pytest.param(*pair, marks=[] if pair in SHORT else pytest.mark.full) for pair in pairs]
    return pytest.mark.parametrize(('imported', 'student'), params, indirect=True)


@pytest.fixture(scope='module', params=SPORTS)
def imported(request, tmp_path_factory) -> tuple[str, Corpus, SportFiles]:
    """A data set as imported, with joints and VIPE* of its poses."""
    sport, root = request.param, tmp_path_factory.mktemp(request.param)
    annotations = ROOT.parent / 'shared' / 'vpd_annotations'
    files = write_sport(root, sport, annotations if annotations.is_dir() else None)
    out = root / 'data' / sport
    share = [] if files.orders else ['--val-share', '0.25']
    assert import_dataset.main([sport, str(files.labels), '--out', str(out), *share]) == 0
    assert import_dataset.main(['vpd-release', str(files.release), '--out', str(out)]) == 0
    for teacher in ('joints', 'vipe'):
        extract_features.main([teacher, '--corpus', str(out), '--poses', 'release'])
    return sport, Corpus.open(out), files


@pytest.fixture(scope='module')
def student(request, imported) -> tuple[str, Path]:
    """The protocol, and the folder of a training of a few steps; its features are ``features/<protocol>``."""
    protocol, (_, corpus, _) = request.param, imported
    kind = STUDENTS[protocol][0]
    config, folder = (
        str(CONFIGS / 'distill' / f'resnet34_{kind}-vpd_1000e.py'),
        corpus.root.parent / f'{protocol}-distill',
    )
    few = [
        'train_dataloader.batch_size=10',
        'train_dataloader.sampler.num_samples=20',
        'val_dataloader.dataset.max_frames=20',
    ]
    few += ['val_dataloader.sampler.num_samples=20'] if protocol == 'paper' else []
    few += [f'{part}_dataloader.dataset.pipeline.{i}.size=32' for part, i in RESIZED[protocol].items()]
    options = ['--cfg-options', *SMALL_STUDENT, *NO_WORKERS, *ONE_EPOCH, *few]
    where = ['--corpus', str(corpus.root)]
    train.main([config, *where, '--protocol', protocol, '--work-dir', str(folder), *options])
    extract_features.main(
        [config, str(folder / 'epoch_1.pth'), *where, '--out', protocol, *options[: len(BACKBONE) + 1]]
    )
    return protocol, folder


def test_labels_lists_and_splits_are_those_of_the_files(imported):
    sport, corpus, files = imported
    classes = load_classes(corpus.classes_path)
    actions = {action.action_id: action for action in load_actions(corpus.actions_path, len(classes))}
    assert (corpus.dataset, len(classes)) == (sport, files.num_classes)
    assert len(actions) == len(files.actions) - files.others
    for action_id, action in actions.items():
        video, start, end, _, split = files.actions[action_id]
        assert (action.video, action.start_frame, action.end_frame) == (video, start, end)
        assert action.split == split or (action.split, split, bool(files.orders)) == ('val', 'train', False)
    counts = Counter(action.split for action in actions.values())
    published = sum(files.actions[action_id][4] == 'val' for action_id in actions)
    assert counts['val'] == published if published else 0 < counts['val'] < counts['train']
    for (k, subset), ids in files.lists.items():
        assert corpus.fewshot_path(k, subset).read_text().split() == ids
        assert Counter(actions[name].label for name in ids) == dict.fromkeys(range(len(classes)), k)
        assert {actions[name].split for name in ids} == {'train'}
    for i, order in files.orders.items():
        assert (corpus.root / f'annotations/localize/{i}.txt').read_text().split() == order


def published_length(sport: str, fps: float, start: int, end: int, num_frames: int) -> int:
    """Frames of a clip in the published code at the rate of the video (fx35 and diving48: 25 fps)."""
    if sport == 'fsjump6':
        middle = (start + end) / 2
        start, end = min(start, int(middle - fps * 2.5)), max(end, int(middle + fps * 0.5))
    elif sport == 'tennis7':
        start, end = max(0, int(start - fps * 0.5)), int(start + fps * 0.5)
    elif sport == 'fx35':  # without the frame after the end, which the published code takes too
        start -= int(np.ceil(0.25 * fps))
    length = min(end, num_frames) - max(0, start)
    return length if sport in ('fsjump6', 'tennis7') else int(np.ceil(length / max(1, fps / 25)))


def test_clips_have_the_published_windows(imported):
    sport, corpus, files = imported
    cfg = adapt_config(Config.fromfile(CONFIGS / 'recognize/bigru.py'), str(corpus.root), protocol='paper')
    dataset = next(datasets_of(cfg, 'test'))
    init_default_scope('vpd_mm')
    clips = DATASETS.build(dataset).data_list
    assert len(clips) == sum(action[4] == 'test' for action in files.actions.values()) - sum(
        action[3] in ('serve', 'unknown_swing') and action[4] == 'test' for action in files.actions.values()
    )
    for clip in clips:
        video, start, end, *_ = files.actions[clip['action_id']]
        info = corpus.video(video)
        assert clip['feats'].shape[1] == published_length(sport, info.fps, start, end, info.num_frames)


@cases(*PROTOCOLS)
def test_distillation_uses_no_test_video(imported, student):
    protocol, folder = student
    files = imported[2]
    cfg = Config.fromfile(next(folder.glob('*.py')))
    init_default_scope('vpd_mm')
    parts = {part: DATASETS.build(next(datasets_of(cfg, part))) for part in ('train', 'val')}
    of_test = {video for video, *_, split in files.actions.values() if split == 'test'}
    for dataset in parts.values():
        assert dataset.videos
        assert not of_test.intersection(dataset.videos)
    frames = {
        part: {(video, frame) for video in dataset.used_videos() for frame in dataset.used_frames(video).tolist()}
        for part, dataset in parts.items()
    }
    assert all(len(frames[part]) == len(dataset) for part, dataset in parts.items())
    assert not frames['train'] & frames['val']
    shared_videos = {video for video, _ in frames['train']} & {video for video, _ in frames['val']}
    assert bool(shared_videos) == (protocol == 'paper')  # the published code holds out frames, not videos
    assert (parts['train'].metainfo['dims'], parts['train'].metainfo['motion']) == (STUDENTS[protocol][1], True)


@cases(*PROTOCOLS)
def test_student_describes_both_views_of_every_crop(imported, student):
    protocol, _ = student
    _, corpus, _ = imported
    paths = sorted(corpus.features_dir(protocol).glob('*.npz'))
    crops = sorted(path.stem for path in (corpus.poses_dir('release')).glob('*.npz'))
    assert [path.stem for path in paths] == crops
    sequence = FeatureSequence.load(paths[0])
    assert sequence.feats.shape[1:] == (2, STUDENTS[protocol][1])
    assert np.abs(sequence.feats[:, 0] - sequence.feats[:, 1]).max() > 0


@cases(*PROTOCOLS)
def test_few_shot_and_full(imported, student, tmp_path):
    protocol, _ = student
    sport, corpus, _ = imported
    arguments = ['--features', f'features/{protocol}', '--protocol', protocol, '--k', '1', '2', 'all', '--subsets', '2']
    arguments += ['--all-seeds', '1', '--executor', 'debug', '--work-dir', str(tmp_path), '--cfg-options', *SMALL_BIGRU]
    fewshot.main([str(CONFIGS / 'recognize/bigru.py'), '--corpus', str(corpus.root), *arguments])
    results = pd.read_csv(tmp_path / 'results.csv', keep_default_na=False)
    assert Counter(results['k'].astype(str)) == {'1': 2, '2': 2, 'all': 1}
    no_validation = protocol == 'paper' and sport in ('fx35', 'diving48')
    assert set(results['selected_on']) == {'test' if no_validation else 'val'}
    assert set(results['protocol']) == {protocol}
    assert set(results['top1'].between(0, 100)) == {True}
    cfg = adapt_config(Config.fromfile(CONFIGS / 'recognize/bigru.py'), str(corpus.root), protocol=protocol)
    init_default_scope('vpd_mm')
    num_train = len({clip['action_id'] for clip in DATASETS.build(next(datasets_of(cfg, 'train'))).data_list})
    splits = Counter(action.split for action in load_actions(corpus.actions_path))
    assert num_train == splits['train'] + (splits['val'] if no_validation else 0)


@cases(*PROTOCOLS)
def test_retrieval(imported, student, tmp_path):
    protocol, _ = student
    sport, corpus, _ = imported
    arguments = [
        '--features',
        f'features/{protocol}',
        '--protocol',
        protocol,
        '--ks',
        '1',
        '5',
        '--out',
        str(tmp_path / 'r.csv'),
    ]
    retrieve.main(['--corpus', str(corpus.root), *arguments])
    with (tmp_path / 'r.csv').open() as f:
        rows = list(csv.DictReader(f))
    actions = {action.action_id: action.split for action in load_actions(corpus.actions_path)}
    queries = [name for name, split in actions.items() if sport != 'diving48' or split == 'test']
    assert Counter(row['query'] for row in rows) == dict.fromkeys(queries, 5)
    assert all(row['query'] != row['action_id'] for row in rows)


@cases(*PROTOCOLS)
def test_detection(imported, student, tmp_path):
    protocol, _ = student
    _, corpus, files = imported
    if not files.orders:
        pytest.skip('no detection in this data set')
    arguments = ['--features', f'features/{protocol}', '--protocol', protocol, '--folds', '2', '--train-videos', '3']
    options = [*ONE_EPOCH, 'model.backbone.hidden_dims=8']
    options += ['train_dataloader.dataset.num_windows=20'] if protocol == 'paper' else []
    arguments += ['--allow-missing', '--work-dir', str(tmp_path), '--cfg-options', *options]
    detect.main([str(CONFIGS / 'detect/bigru_detector.py'), '--corpus', str(corpus.root), *arguments])
    result = json.loads((tmp_path / 'test' / 'ap.json').read_text())
    assert result['videos'] == len({video for video, *_, split in files.actions.values() if split == 'test'})
    assert 0 <= result['AP@0.5'] <= 1


@cases(*PROTOCOLS)
def test_a_step_of_a_baseline(imported, student, tmp_path):
    protocol, _ = student
    _, corpus, _ = imported
    options = [
        'model.backbone.base_channels=8',
        'model.cls_head.in_channels=32',
        'train_dataloader.sampler.num_samples=32',
    ]
    arguments = ['--corpus', str(corpus.root), '--protocol', protocol, '--work-dir', str(tmp_path), '--no-validate']
    config = str(CONFIGS / 'baselines/stgcn.py')
    train.main([config, *arguments, '--cfg-options', *NO_WORKERS[:2], 'train_cfg.max_epochs=1', *options])
    assert (tmp_path / 'epoch_1.pth').is_file()


#: A row of each section to its name in the paper.
COMPARED = {
    'table': 'VI-VPD + BiGRU',
    'nearest': 'VI-VPD, nearest',
    'skeleton': 'ST-GCN, joint',
    'section': 'VI-VPD',
    'teacher': 'teacher: VIPE*',
}
EPOCHS = ('max_epochs', 'val_interval')
STGCN, DETECTOR = 'methods.16.options', 'detection.methods.4.options'
NUMBERS = {'fsjump6': 'FSJump6', 'tennis7': 'Tennis7', 'fx35': 'FX35', 'diving48': 'Diving48'}


def rows_of(report: str, heading: str) -> dict[str, list[str]]:
    """Header and rows of the table under a heading, by their first cell."""
    text = report.split(heading, 1)[1].split('\n#')[0]
    lines = [
        [cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines() if line.startswith('|')
    ]
    return {line[0]: line for line in lines}


@pytest.mark.full
@pytest.mark.parametrize(('imported', 'student'), [(s, 'paper') for s in SPORTS], indirect=True)  # features of VI-VPD
def test_comparison_has_the_tables_of_the_paper(imported, student, tmp_path):
    protocol, _ = student
    sport, corpus, files = imported
    features = corpus.features_dir('vi-vpd')
    if not features.exists():
        shutil.copytree(corpus.features_dir(protocol), features)
    options = dict(corpus=corpus.root, protocol=protocol, ks='[16,all]', subsets=1, all_seeds=1)
    options |= dict(allow_short=True, allow_missing=True, **{f'options.train_cfg.{name}': 1 for name in EPOCHS})
    options |= {f'{STGCN}.model.backbone.base_channels': 8, f'{STGCN}.model.cls_head.in_channels': 32}
    options[f'{STGCN}.train_dataloader.sampler.num_samples'] = 32
    if files.orders:
        options[f'{DETECTOR}.train_dataloader.dataset.num_windows'] = 20
    arguments = ['--work-dir', str(tmp_path), '--executor', 'debug', '--only', *COMPARED.values()]
    arguments += ['--cfg-options', *(f'{name}={value}' for name, value in options.items())]
    compare.main([str(CONFIGS / f'compare/{sport}.py'), *arguments])
    report = (tmp_path / 'report.md').read_text()
    paper = json.loads((ROOT / 'vpd_mm/experiments/paper_numbers.json').read_text())['datasets'][NUMBERS[sport]]
    twice, section = (['16-shot', 'paper', 'all', 'paper'], ['16', 'all']), COMPARED['section']
    precisions = ['P@1', 'P@10', 'P@50']
    expected = {
        'top-1 in %': (COMPARED['table'], *twice),
        '## What the distillation needs': (section, *twice),
        '## Retrieval': (section, [cell for name in precisions for cell in (name, 'paper')], precisions),
    }
    if files.orders:
        tious = [f'AP@0.{i}' for i in range(3, 8)]
        expected['## Detection'] = (section, [cell for name in tious for cell in (name, 'paper')], tious)
    for heading, (method, header, columns) in expected.items():
        rows = rows_of(report, heading)
        assert rows['method'][1:] == header, heading
        assert rows[method][2::2] == [f'{paper["VI-VPD"][name]:g}' for name in columns]
        measured = [cell for cell in rows[method][1::2] if cell != '-']
        assert measured
        assert all(0 <= float(cell.split()[0]) <= 100 for cell in measured)
    assert 'Left out' not in report
