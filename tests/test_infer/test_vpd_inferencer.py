"""VPDInferencer gives the numbers of a corpus for every kind of input, offline and online."""

import json
import shutil
from itertools import islice

import av
import numpy as np
import pytest
import torch
from inference_files import RECOGNIZER, SCORER, STUDENT, save_model, walking_video
from media import FRAMES, build_corpus, cut_picture, make_video, write_boxes

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.distill.pose_distiller import mean_of_views
from vpd_mm.engine.model_files import read_model_config
from vpd_mm.errors import UserError
from vpd_mm.features import FeatureClipDataset, FeatureWindowDataset
from vpd_mm.features.feature_extractor import build_extractor, run_source
from vpd_mm.infer.vpd_inferencer import VPDInferencer
from vpd_mm.registry import INFERENCERS
from vpd_mm.structures import Action, AthleteTrack, FeatureSequence, save_actions, save_classes
from vpd_mm.synthetic.checkpoints import packed_source

#: The packed detector's scores are low.
EASY = {'high_score': 0.4}
BOXES = np.tile(np.float32([30, 8, 50, 38]), (FRAMES, 1))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('models')
    save_model(folder, 'student', STUDENT.format(dims=26))
    make_video(folder / 'jump.mp4')
    return folder


@pytest.fixture(scope='module')
def walk(folder):
    """A video with a person that the packed detector finds."""
    path = folder / 'walk.mp4'
    frames = walking_video()
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.options = 'yuv420p', {'crf': '10'}
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb))))
        container.mux(stream.encode())
    return path


def make(folder, **options):
    options = {'boxes': 'full', 'batch_size': 5, **options}
    return VPDInferencer(str(folder / 'student.py'), folder / 'student.pth', **options)


def by_corpus(folder, corpus):
    """Track and features of a corpus."""
    [name] = corpus.videos()
    extractor = build_extractor(read_model_config(folder / 'student.py'), folder / 'student.pth', batch_size=64)
    return corpus.track(name), extractor.extract(CropStore(corpus.crops_dir), name)


def test_same_numbers_as_the_corpus_with_the_packed_detector(folder, walk, tmp_path):
    inferencer = make(folder, boxes=packed_source('detector'), tracker=EASY)
    report = build_corpus([walk], tmp_path / 'c', boxes=packed_source('detector'), tracker=EASY)
    assert report.failures == []
    track, features = by_corpus(folder, Corpus.open(tmp_path / 'c'))
    [result] = inferencer(walk)['predictions']
    assert result['mode'] == 'offline'
    assert len(track) >= 10
    np.testing.assert_array_equal(result['frame_inds'], track.frame_inds)
    np.testing.assert_array_equal(result['boxes'], track.boxes)
    np.testing.assert_array_equal(result['box_scores'], track.scores)
    np.testing.assert_array_equal(result['feature_inds'], features.frame_inds)
    np.testing.assert_allclose(result['feats'], features.feats, atol=1e-5)
    assert np.ptp(features.feats, axis=0).max() > 1e-3


@pytest.mark.parametrize(
    'options', [{}, {'flow': 'farneback', 'subtract_median': True}, {'size': 64, 'fps': 12.5}], ids=str
)
def test_same_numbers_as_the_corpus_with_given_boxes(folder, tmp_path, options):
    boxes = write_boxes(tmp_path / 'boxes', 'jump', [0, 1, 2, 4, 5])
    build_corpus([folder / 'jump.mp4'], tmp_path / 'c', boxes=str(boxes), **options)
    track, features = by_corpus(folder, Corpus.open(tmp_path / 'c'))
    fps = options.pop('fps', None)
    if 'size' in options:
        options['crop_size'] = options.pop('size')
    inferencer = make(folder, boxes=str(boxes), **options)
    [result] = inferencer(str(folder / 'jump.mp4'), fps=fps)['predictions']
    np.testing.assert_array_equal(result['boxes'], track.boxes)
    np.testing.assert_array_equal(result['feature_inds'], features.frame_inds)
    np.testing.assert_allclose(result['feats'], features.feats, atol=1e-5)


def test_every_kind_of_input_offline_and_online(folder):
    inferencer = make(folder)
    frames = np.stack([rgb for _, rgb in VideoReader(folder / 'jump.mp4')])
    given = {'bboxes': BOXES}
    [expected] = inferencer(folder / 'jump.mp4', **given)['predictions']
    assert expected['feats'].shape == (FRAMES, 2, 26)
    for inputs, options in (
        (frames, {}),
        (frames, {'online': True}),
        (iter(frames), {}),
        ([frames], {'bboxes': [BOXES]}),
        (frames, {'batch_size': 1}),
    ):
        [result] = inferencer(inputs, **{**given, **options})['predictions']
        np.testing.assert_array_equal(result['boxes'], BOXES)
        np.testing.assert_allclose(result['feats'], expected['feats'], atol=1e-5)
    modes = [inferencer(x, **given)['predictions'][0]['mode'] for x in (frames, iter(frames))]
    assert modes == ['offline', 'online']


def test_gaps_in_given_boxes_have_no_feature(folder):
    boxes = BOXES.copy()
    boxes[[3, 4]] = np.nan
    inferencer = make(folder)
    both = [inferencer(folder / 'jump.mp4', bboxes=boxes, online=online)['predictions'][0] for online in (False, True)]
    for result in both:
        assert result['feature_inds'].tolist() == [0, 1, 2, *range(5, FRAMES)]
    np.testing.assert_allclose(both[0]['feats'], both[1]['feats'], atol=1e-5)


def test_a_new_shot_starts_like_a_film(folder):
    frames = np.stack([cut_picture(i) for i in range(FRAMES)])
    boxes = np.float32([[4, 4, 14, 14]] * 6 + [[32, 20, 52, 40]] * 6)
    inferencer = make(folder)
    [second] = inferencer(frames[6:], bboxes=boxes[6:])['predictions']
    for online in (False, True):
        [result] = inferencer(frames, bboxes=boxes, online=online)['predictions']
        np.testing.assert_allclose(result['feats'][6:], second['feats'], atol=1e-5)


@pytest.mark.parametrize('batch_size', [1, 4])
def test_stream_answers_before_it_reads_on(folder, batch_size):
    frames = np.stack([rgb for _, rgb in VideoReader(folder / 'jump.mp4')])
    pulled = []

    def camera():
        for i, rgb in enumerate(frames):
            pulled.append(i)
            yield rgb

    inferencer = make(folder)
    [expected] = inferencer(frames)['predictions']
    for t, answer in enumerate(inferencer.stream(camera(), batch_size=batch_size)):
        assert answer.frame_ind == t
        assert len(pulled) <= max(1, (t // batch_size + 1) * batch_size)
        np.testing.assert_array_equal(answer.rgb, frames[t])
        np.testing.assert_allclose(answer.feats, expected['feats'][t], atol=1e-5)
        np.testing.assert_array_equal(answer.box, [0, 0, 64, 48])
        assert answer.joints.shape == (13, 2)
    assert len(pulled) == FRAMES


def test_an_endless_stream_can_be_left(folder):
    def endless():
        rgb = np.zeros((48, 64, 3), np.uint8)
        while True:
            yield rgb

    answers = list(islice(make(folder).stream(endless()), 3))
    assert [a.frame_ind for a in answers] == [0, 1, 2]


def test_online_finds_the_athlete_from_the_second_frame_on(folder, walk):
    inferencer = make(folder, boxes=packed_source('detector'), tracker={**EASY, 'switch_margin': 0.2})
    [offline] = inferencer(walk)['predictions']
    [online] = inferencer(walk, online=True)['predictions']
    assert offline['frame_inds'][0] == 0
    assert online['frame_inds'].tolist() == offline['frame_inds'][1:].tolist()
    first, second = offline['boxes'][1:], online['boxes']
    overlap = np.clip(np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2]), 0, None)
    assert (overlap.prod(axis=1) > 0.5 * (first[:, 2:] - first[:, :2]).prod(axis=1)).all()


def test_written_files_and_videos(folder, tmp_path):
    inferencer = make(folder)
    results = inferencer(
        [folder / 'jump.mp4'], return_datasamples=True, return_vis=True, vis_out_dir=tmp_path, pred_out_dir=tmp_path
    )
    [sample] = results['predictions']
    [images] = results['visualization']
    assert len(images) == FRAMES
    features = FeatureStore(tmp_path / 'features')['jump']
    np.testing.assert_array_equal(features.feats, sample.features.feats)
    assert len(AthleteTrack.load(tmp_path / 'tracks' / 'jump.npz')) == FRAMES
    row = json.loads((tmp_path / 'jump.json').read_text())
    assert (row['name'], row['num_frames'], row['fps'], row['dims']) == ('jump', FRAMES, 25.0, 26)
    assert VideoReader(tmp_path / 'jump.mp4').num_frames == FRAMES
    joints = inferencer.joints(features.feats)
    views = torch.from_numpy(features.feats).unbind(1)
    expected = mean_of_views(*(inferencer.model.decode(view)[:, :26] for view in views)).detach().numpy()
    np.testing.assert_allclose(joints.reshape(FRAMES, 26), expected, atol=1e-6)
    frames = (rgb for _, rgb in VideoReader(folder / 'jump.mp4'))
    assert inferencer(frames, vis_out_dir=tmp_path)['visualization'] == [tmp_path / 'stream0.mp4']
    assert VideoReader(tmp_path / 'stream0.mp4').num_frames == FRAMES


def test_results_of_former_athletes_of_an_input_are_removed(folder, tmp_path):
    """Those of another input of a similar name stay."""
    boxes = {name: write_boxes(tmp_path / 'boxes', f'{name}__jump') for name in ('p1', 'p2')}['p1']
    make(folder, boxes=str(boxes))(folder / 'jump.mp4', pred_out_dir=tmp_path / 'out')
    shutil.copy(folder / 'jump.mp4', tmp_path / 'p3__jump.mp4')
    make(folder)(tmp_path / 'p3__jump.mp4', pred_out_dir=tmp_path / 'out')
    names = ['jump', 'p1__jump', 'p2__jump', 'p3__jump']
    assert [path.stem for path in sorted((tmp_path / 'out').glob('*.json'))] == names[1:]
    make(folder)(folder / 'jump.mp4', pred_out_dir=tmp_path / 'out')
    for pattern in ('*.json', 'tracks/*.npz', 'features/*.npz'):
        assert [path.stem for path in sorted((tmp_path / 'out').glob(pattern))] == [names[0], names[3]]


@pytest.fixture(scope='module')
def gallery(folder):
    """A corpus with the student's features of jump.mp4 and two actions."""
    [result] = make(folder)(folder / 'jump.mp4')['predictions']
    build_corpus([folder / 'jump.mp4'], folder / 'corpus')
    corpus = Corpus.open(folder / 'corpus')
    features = FeatureSequence(result['feature_inds'], result['feats'], np.ones(FRAMES, np.float32))
    features.save(corpus.features_dir('vpd') / 'jump.npz')
    save_classes(corpus.classes_path, ['hop', 'roll'])
    actions = [Action('j:0', 'jump', 0, 12, 0, 'train'), Action('j:1', 'jump', 5, 12, 1, 'train')]
    save_actions(corpus.actions_path, actions)
    return corpus


def test_labels_equal_those_of_the_data_set(folder, gallery, tmp_path):
    spec = save_model(folder, 'recognizer', RECOGNIZER, meta={'classes': ['hop', 'roll']})
    inferencer = make(folder, recognizer=spec, gallery=f'{gallery.root}:vpd:train', top=9)
    [result] = inferencer(folder / 'jump.mp4')['predictions']
    assert 'neighbours' not in result['segments'][0]  # it would find itself
    shutil.copy(folder / 'jump.mp4', tmp_path / 'leap.mp4')
    [result] = inferencer(tmp_path / 'leap.mp4')['predictions']
    [segment] = result['segments']
    assert (segment['start_frame'], segment['end_frame'], segment['end_sec']) == (0, 12, 0.48)
    cfg = read_model_config(folder / 'recognizer.py')
    data = dict(cfg.test_dataloader.dataset)
    dataset = FeatureClipDataset(str(gallery.root), 'vpd', 'train', test_mode=True, **data)
    model = inferencer.recognizer.model
    with torch.no_grad():
        expected = model.test_step({'inputs': [dataset[0]['inputs']]})[0].pred_score
    assert list(segment['label_scores']) == ['hop', 'roll']
    np.testing.assert_allclose(list(segment['label_scores'].values()), expected.numpy(), atol=1e-6)
    assert segment['label'] == ['hop', 'roll'][int(expected.argmax())]
    nearest, second = segment['neighbours']
    assert (nearest['action_id'], nearest['label'], nearest['distance']) == ('j:0', 'hop', pytest.approx(0, abs=1e-6))
    assert second['distance'] > 0
    assert [nearest['step_pattern'], second['step_pattern']] == ['symmetricP2', 'symmetric2']


def test_segments_equal_those_of_the_scorer(folder, gallery):
    from vpd_mm.detect.proposals import ProposalRule, find_proposals
    from vpd_mm.detect.search import load_scorer, score_videos

    spec = save_model(folder, 'scorer', SCORER)
    save_model(folder, 'scorer', SCORER, seed=1)
    (folder / 'scorer.pth').rename(folder / 'scorer1.pth')
    save_model(folder, 'scorer', SCORER)
    cfg = read_model_config(folder / 'scorer.py')
    dataset = FeatureWindowDataset(str(gallery.root), 'vpd', 'train', test_mode=True)
    models = [load_scorer(cfg, folder / name) for name in ('scorer.pth', 'scorer1.pth')]
    [expected] = score_videos(models, dataset)
    threshold = float(np.median(expected.scores))
    inferencer = make(folder, scorer=f'{spec},{folder / "scorer1.pth"}', threshold=threshold)
    [result] = inferencer(folder / 'jump.mp4')['predictions']
    np.testing.assert_allclose(result['frame_scores'], expected.scores, atol=1e-5)
    proposals = find_proposals(result['frame_scores'], threshold)
    assert [(s['start_frame'], s['end_frame']) for s in result['segments']] == [p[:2] for p in proposals]
    rule = {'threshold': threshold, 'max_gap': 3, 'min_frames': 2, 'mean_frames': [3.0]}
    meta = {'classes': ['vault'], 'proposals': rule}
    recorded = make(folder, scorer=save_model(folder, 'scorer', SCORER, meta=meta))
    [result] = recorded(folder / 'jump.mp4')['predictions']
    proposals = ProposalRule(threshold, 3, 2, (3.0,))(result['frame_scores'])
    found = [(s['start_frame'], s['end_frame'], s['scored_class']) for s in result['segments']]
    assert found == [(*p[:2], 'vault') for p in proposals] != []
    save_model(folder, 'scorer', SCORER, meta={'proposals': rule | {'threshold': 0.0, 'mean_frames': []}})
    [everything] = make(folder, scorer=spec)(folder / 'jump.mp4')['predictions']
    assert [(s['start_frame'], s['end_frame']) for s in everything['segments']] == [(0, 12)]
    save_model(folder, 'scorer', SCORER)
    everything = make(folder, scorer=spec, threshold=0.0)(folder / 'jump.mp4')['predictions'][0]['segments']
    assert [(s['start_frame'], s['end_frame']) for s in everything] == [(0, 12)]


def test_runs_in_onnxruntime(folder, gallery, tmp_path):
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    from vpd_mm.export.onnx_export import export_model

    spec = save_model(tmp_path, 'recognizer', RECOGNIZER, meta={'classes': ['hop', 'roll']})
    export_model(folder / 'student.py', folder / 'student.pth', tmp_path / 'student.onnx')
    export_model(tmp_path / 'recognizer.py', tmp_path / 'recognizer.pth', tmp_path / 'recognizer.onnx')
    options = {'boxes': 'full', 'batch_size': 5}
    torch_one = make(folder, recognizer=spec)
    onnx_one = VPDInferencer(
        folder / 'student.py',
        tmp_path / 'student.onnx',
        recognizer=spec.replace('.pth', '.onnx'),
        **options,
    )
    [expected], [result] = (i(folder / 'jump.mp4')['predictions'] for i in (torch_one, onnx_one))
    np.testing.assert_allclose(result['feats'], expected['feats'], atol=1e-4)
    want, got = expected['segments'][0], result['segments'][0]
    assert got['label_scores'] == pytest.approx(want['label_scores'], abs=1e-4)
    assert got['label'] == want['label']
    np.testing.assert_allclose(onnx_one.joints(result['feats']), torch_one.joints(expected['feats']), atol=1e-4)


def test_what_is_of_a_former_student_is_named(folder, gallery, tmp_path, monkeypatch):
    """An ONNX file beside a newer checkpoint, the decoder of another export, a gallery of former features."""
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    from vpd_mm.export.onnx_export import export_model

    logged = []
    for module in ('onnx_backend', 'segments'):
        monkeypatch.setattr(f'vpd_mm.infer.{module}.print_log', lambda text, *_: logged.append(text))
    save_model(tmp_path, 'student', STUDENT.format(dims=26))
    config, checkpoint = tmp_path / 'student.py', tmp_path / 'student.pth'
    onnx = tmp_path / 'student.onnx'
    export_model(config, checkpoint, onnx)
    features = FeatureStore(gallery.features_dir('vpd'))['jump']
    features.save(gallery.features_dir('old') / 'jump.npz', run_source(read_model_config(config), checkpoint))
    for weights in (checkpoint, onnx):
        VPDInferencer(config, weights, boxes='full', gallery=f'{gallery.root}:old')
    assert logged == []
    decoder = (tmp_path / 'student.decoder.onnx').read_bytes()
    save_model(tmp_path, 'student', STUDENT.format(dims=26), seed=1)
    VPDInferencer(config, onnx, boxes='full', gallery=f'{gallery.root}:old')
    VPDInferencer(config, checkpoint, boxes='full', gallery=f'{gallery.root}:old')
    assert [text.partition(': ')[2] for text in logged] == [
        f'{checkpoint} has changed since it was exported; export it again',
        "has features of another student, {'checkpoint': 'student.pth', 'config': 'student.py'}, as it was then; "
        'results mean little: pass the --student that fits, or make it again',
    ]
    export_model(config, checkpoint, onnx)
    (tmp_path / 'student.decoder.onnx').write_bytes(decoder)
    with pytest.raises(UserError, match=r'decoder\.onnx: is of another checkpoint than .*student\.onnx; export both'):
        VPDInferencer(config, onnx, boxes='full')


def test_a_checkpoint_without_decoder_draws_no_skeleton(folder, tmp_path):
    state = torch.load(folder / 'student.pth', weights_only=True)['state_dict']
    torch.save({'state_dict': {k: v for k, v in state.items() if 'decoder' not in k}}, tmp_path / 'bare.pth')
    bare = VPDInferencer(folder / 'student.py', tmp_path / 'bare.pth', boxes='full')
    [result] = bare(folder / 'jump.mp4', vis_out_dir=tmp_path)['predictions']
    assert bare.joints(result['feats']) is None
    np.testing.assert_allclose(result['feats'], make(folder)(folder / 'jump.mp4')['predictions'][0]['feats'], atol=1e-5)


def test_registered(folder):
    cfg = {'type': 'VPDInferencer', 'model': str(folder / 'student.py'), 'weights': str(folder / 'student.pth')}
    assert isinstance(INFERENCERS.build({**cfg, 'boxes': 'full'}), VPDInferencer)
