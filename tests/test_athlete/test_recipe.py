"""The recipe of a corpus: what prepare records, what a student's checkpoint may say, what is used of it."""

import hashlib
from dataclasses import replace

import pytest
from media import make_sound, make_video, write_boxes
from tiny_corpus import VIDEOS, make_tiny

from vpd_mm.athlete.recipe import Recipe, corpus_recipe, differences
from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.distill.crop_dataset import CropDataset
from vpd_mm.engine.paths import config_dir
from vpd_mm.errors import UserError
from vpd_mm.prepare import build_corpus
from vpd_mm.prepare.options import PrepareSettings
from vpd_mm.prepare.recipe import describe_boxes, recipe_of
from vpd_mm.synthetic.checkpoints import packed_source

WEIGHTS = ['/nowhere/w.pth', 'a' * 64]
YOLOX = 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'size': '128'}, "size must be a whole number, found '128'"),
        ({'size': True}, 'size must be a whole number'),
        ({'size': 10**9}, 'crop size must be 16 to 4096 px'),
        ({'flow': 'magic'}, "flow must be one of dis, farneback, raft, none, found 'magic'"),
        ({'flow': ['dis']}, 'flow must be one of'),
        ({'subtract_median': 1}, 'subtract_median must be true or false'),
        ({'fps': float('nan')}, 'fps must be above 0'),
        ({'fps': -1}, 'fps must be above 0'),
        ({'boxes': 3}, 'boxes must be a text'),
        ({'boxes': 'x\x1b[2J'}, 'boxes must be a text'),
        ({'boxes': 'x' * 2000}, 'boxes must be a text'),
        ({'boxes_weights': ['/etc/passwd', 'none']}, 'boxes_weights must be a path and a SHA-256'),
        ({'boxes_weights': {'path': 'x'}}, 'boxes_weights must be a path'),
        ({'track': [1]}, 'track must be numbers'),
        ({'track': {'num_athletes': 1e12}}, 'track must be numbers'),
        ({'track': {'__class__': {}}}, 'track must be numbers'),
        ({'track': {'method': '../../x'}}, 'track must be numbers'),
        ({'track': {str(i): 1 for i in range(9)}}, 'track must be numbers'),
        ({'teacher': {'a': 1}}, 'teacher must be a text'),
        ('mmdet', 'recipe must be an object, found str'),
        ([1], 'recipe must be an object, found list'),
    ],
)
def test_every_field_is_checked(fields, message):
    with pytest.raises(UserError, match=r'^x\.pth: recipe: |^x\.pth: ') as caught:
        Recipe.from_json(fields, 'x.pth')
    assert message in str(caught.value)


def test_round_trip_and_newer_versions():
    recipe = Recipe('full', None, {'method': 'path', 'every': 2}, 64, 'farneback', None, True, 25.0, 'joints', 'files')
    assert Recipe.from_json(recipe.to_json() | {'later': [1]}, 'x') == recipe
    weights = Recipe(f'mmdet:{YOLOX}', tuple(WEIGHTS))
    assert Recipe.from_json(weights.to_json(), 'x') == weights
    assert Recipe.from_json(None, 'x') is None


@pytest.mark.parametrize(
    'boxes',
    [
        'mmdet:/evil.py',
        'mmdet:evil.py',
        'mmdet:../evil.py',
        'mmdet:mmdet::../../../../evil.py',
        'mmdet:mmdet::/evil.py',
        'mmdet:mmdet::yolox/../../../evil.py',
        'mmdet:os::path.py',
        'mmdet:evil::x.py',
        'mmdet:rtmdet-m:/evil.pth',
        'mmdet:mmdet::a.py:http://evil/x.pth',
        'mmdet:http://evil/x.py',
        'mmdet:a/b',
        'mmdet:x.py\n',
        'mmdet:',
        'mmpose:rtmpose-m',
        '/home/user/boxes',
        '../boxes',
        'evil',
    ],
)
def test_no_config_or_folder_of_a_recipe_is_used(boxes):
    with pytest.raises(UserError):
        Recipe(boxes).boxes_option()


def test_boxes_that_are_used(tmp_path):
    for boxes in ('full', 'mediapipe', 'mmdet:rtmdet-m', f'mmdet:{YOLOX}', 'mmdet:yolox_nano_8xb8-300e_coco'):
        assert Recipe(boxes).boxes_option() == boxes
    assert Recipe('files').boxes_option() is Recipe().boxes_option() is None
    (tmp_path / 'w.pth').write_bytes(b'weights')
    digest = hashlib.sha256(b'weights').hexdigest()
    recipe = Recipe('mmdet:rtmdet-m', (str(tmp_path / 'w.pth'), digest))
    assert recipe.boxes_option() == f'mmdet:rtmdet-m:{tmp_path}/w.pth'
    (tmp_path / 'w.pth').write_bytes(b'other')
    for weights, message in (
        ((str(tmp_path / 'w.pth'), digest), r'w\.pth: has another content now; pass --boxes mmdet:rtmdet-m:<checkpo'),
        ((str(tmp_path / 'none.pth'), digest), r'none\.pth: no such file; pass --boxes'),
        ((str(tmp_path), digest), 'no such file'),
        (('w.pth', digest), 'is no file of this machine'),
        (('//host/w.pth', digest), 'is no file of this machine'),
        (('https://host/w.pth', ''), 'is no file of this machine'),
    ):
        with pytest.raises(UserError, match=message):
            Recipe('mmdet:rtmdet-m', weights).boxes_option()


def test_models_are_recorded_by_package_and_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('x = 1')
    (tmp_path / 'w.pth').write_bytes(b'weights')
    weights = str(tmp_path / 'w.pth'), hashlib.sha256(b'weights').hexdigest()
    path = config_dir('mmdet') / 'yolox' / 'yolox_nano_8xb8-300e_coco.py'
    for given, boxes, expected in (
        (f'mmdet:{YOLOX}:w.pth', f'mmdet:{YOLOX}', weights),
        (f'mmdet:{path}:w.pth', f'mmdet:{YOLOX}', weights),
        ('mmdet:rtmdet-m', 'mmdet:rtmdet-m', None),
        ('mmdet:mine.py:w.pth', 'mmdet:mine.py', weights),
        ('mmdet:yolox_nano_8xb8-300e_coco:w.pth', 'mmdet:yolox_nano_8xb8-300e_coco', weights),
        ('mmdet:configs/yolox/yolox_nano_8xb8-300e_coco.py', 'mmdet:yolox_nano_8xb8-300e_coco', None),
        ('mmdet:rtmdet-m:https://host/w.pth', 'mmdet:rtmdet-m', ('https://host/w.pth', '')),
        (str(tmp_path), 'files', None),
    ):
        assert describe_boxes(given) == (boxes, expected)
    packed = Recipe(*describe_boxes(packed_source('detector')))
    assert packed.boxes.startswith('mmdet:vpd_mm::teacher/rtmdet_narrow')
    assert packed.boxes_weights[0].startswith('vpd_mm/synthetic/checkpoints/'), 'also in another installation'
    assert packed.boxes_option().startswith(packed.boxes)
    settings = PrepareSettings(tmp_path, 'mmdet:rtmdet-m', size=64, tracker={'num_athletes': 2}, fps=12.5)
    assert recipe_of(settings) == Recipe('mmdet:rtmdet-m', None, {'num_athletes': 2}, 64, 'dis', None, False, 12.5)
    assert recipe_of(replace(settings, boxes='mediapipe')).track == {'num_athletes': 2}
    assert recipe_of(replace(settings, boxes='full')).track == {}


def test_prepare_records_and_reports_what_differs(tmp_path, monkeypatch):
    video, other = make_video(tmp_path / 'jump.mp4'), make_video(tmp_path / 'dive.mp4')
    boxes = str(write_boxes(tmp_path / 'boxes', 'jump'))
    build_corpus([video], tmp_path / 'c', boxes=boxes, poses='none', size=32, subtract_median=True)
    corpus = Corpus.open(tmp_path / 'c')
    store = CropStore(corpus.crops_dir)
    expected = Recipe('files', None, {}, 32, 'dis', None, True)
    assert corpus_recipe(corpus, store, ['jump']) == (expected, [])
    failing = make_sound(tmp_path / 'sound.mp4')
    monkeypatch.setattr('vpd_mm.prepare.corpus_builder.fetch_models', lambda *specs: None)
    for videos in ([video], [video, failing]):  # keeps the tracks
        build_corpus(videos, tmp_path / 'c', poses='none', size=32, subtract_median=True)
        assert corpus_recipe(corpus, store, ['jump']) == (expected, [])
    build_corpus([other], tmp_path / 'c', boxes='full', poses='none', size=16, flow='farneback')
    store = CropStore(corpus.crops_dir)
    recipe, lines = corpus_recipe(corpus, store, store.videos())
    assert recipe == Recipe()
    assert [line.partition(': ')[2] for line in lines[:3]] == [
        'videos differ in size: 16 (1, first dive), 32 (1, first jump)',
        'videos differ in flow: farneback (1, first dive), dis (1, first jump)',
        'videos differ in subtract_median: False (1, first dive), True (1, first jump)',
    ]
    assert 'videos differ in boxes' in lines[3]
    student = Recipe('files', None, {}, 32, 'dis', None, True, 25.0)
    assert differences(student, corpus) == [
        'size 16 in 1 video (first dive), of the student 32',
        'flow farneback in 1 video (first dive), of the student dis',
        'subtract_median False in 1 video (first dive), of the student True',
        'fps as decoded, of the student 25',
    ]


def test_a_corpus_of_a_former_version_or_an_import(tmp_path):
    corpus = make_tiny(tmp_path / 'tiny', VIDEOS)  # flow of another program, no tracks
    assert (
        CropDataset(corpus.root, 'joints', []).metainfo['recipe']
        == Recipe(size=32, subtract_median=False, teacher='joints').to_json()
    )
    video = make_video(tmp_path / 'jump.mp4')
    build_corpus([video], tmp_path / 'c', boxes='full', poses='none')
    former = Corpus.open(tmp_path / 'c')
    former.record_recipe(None)
    store = CropStore(former.crops_dir)
    expected = Recipe('full', None, {}, 128, 'dis', None, False)
    assert corpus_recipe(former, store, ['jump'])[0] == expected
    build_corpus([video], tmp_path / 'c', poses='none')
    assert corpus_recipe(former, store, ['jump'])[0] == expected, 'kept tracks are not of the default detector'
    former.track('jump').save(former.track_path('jump'), {'release': '/x', 'inputs': {}})
    assert corpus_recipe(former, store, ['jump'])[0].boxes == 'files'
    former.track('jump').save(former.track_path('jump'))
    assert corpus_recipe(former, store, ['jump'])[0].boxes is None
    (tmp_path / 'c' / 'corpus.json').write_text('{"layout_version": 1, "recipe": {"size": "x"}}')
    with pytest.raises(UserError, match=r'corpus\.json: recipe: size must be .* prepare the corpus again'):
        corpus_recipe(former, store, ['jump'])
