"""Boxes, poses, crops, flow, masks and features of the release; the tool end to end."""

import base64
import gzip
import json

import cv2
import numpy as np
import pytest
from release_files import META, SIZE, smooth_image, write_crops, write_features, write_pose

from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.errors import UserError
from vpd_mm.importers import import_poses, import_vpd_release, read_masks, vpd_release
from vpd_mm.importers.crop_folder import decode_flow_image
from vpd_mm.structures import AthleteTrack


def test_boxes_and_poses(tmp_path):
    write_pose(tmp_path, 'a')
    write_pose(tmp_path, 'front__b_0_10')
    report = import_vpd_release(tmp_path, tmp_path / 'out', sport='tennis')
    corpus = Corpus.open(tmp_path / 'out')
    assert report.counts == {
        **{'videos with boxes and poses': 2, 'boxes': 6, 'poses': 6},
        'people with COCO-17 joints': 6,
    }
    assert corpus.sport == 'tennis'
    assert list(corpus.videos()) == ['a', 'front__b_0_10']
    assert corpus.video('a').num_frames == 10
    assert corpus.track('a').boxes[0].tolist() == [10, 10, 60, 90]
    assert corpus.poses('release', 'a').keypoints[2, 16].tolist() == [20, 30]


def test_a_failed_video_is_reported_and_the_others_are_imported(tmp_path):
    write_pose(tmp_path, 'a')
    write_pose(tmp_path, 'b')
    (tmp_path / 'pose/a/boxes.json').write_text('[[0, [1')
    write_pose(tmp_path, 'c', frames=[10])
    report = import_vpd_release(tmp_path, tmp_path / 'out')
    corpus = Corpus.open(tmp_path / 'out')
    assert list(corpus.videos()) == ['b']
    assert len(report.failures) == 2
    assert 'a/boxes.json: truncated' in report.failures[0]
    assert 'c/boxes.json: frame 10 is past the end' in report.failures[1]
    assert not corpus.track_path('a').exists()
    (tmp_path / 'pose/a/boxes.json').write_text('[[0, [10, 10, 50, 80]]]')
    assert len(import_vpd_release(tmp_path, tmp_path / 'out').failures) == 1
    assert list(Corpus.open(tmp_path / 'out').videos()) == ['a', 'b']


def test_files_of_the_release_that_have_changed_are_imported_again(tmp_path):
    """What somebody edited in the corpus stays."""
    for video in ('a', 'b'):
        write_pose(tmp_path, video)
    import_vpd_release(tmp_path, tmp_path / 'out')
    corpus = Corpus.open(tmp_path / 'out')
    AthleteTrack.load(corpus.track_path('b')).save(corpus.track_path('b'))
    for video in ('a', 'b'):
        (tmp_path / 'pose' / video / 'boxes.json').write_text('[[0, [11, 10, 50, 80]]]')
    assert import_vpd_release(tmp_path, tmp_path / 'out').counts['boxes'] == 1 + 3
    assert (len(corpus.track('a')), len(corpus.track('b'))) == (1, 3)


def test_crops_flow_and_masks(tmp_path):
    flow = smooth_image(2, 7) / 255 * 44 - 22
    write_pose(tmp_path, 'a')
    write_crops(tmp_path / 'crops/a', [1, 2, 12], flow)
    report = import_vpd_release(tmp_path, tmp_path / 'out')
    assert report.failures == []
    assert report.counts['crops'] == 2  # frame 12 is past the end
    store = CropStore(tmp_path / 'out/athlete/crops')
    crop = store.read('a', 2)
    rgb = smooth_image(3, 2).astype(np.float64)
    assert 10 * np.log10(255**2 / np.mean((crop.rgb - rgb) ** 2)) > 35  # also tells RGB from BGR
    assert np.abs(crop.flow - np.clip(flow, -20, 20)).mean() < 0.2
    assert crop.mask.sum() == 70 * 30
    assert store.header('a').frame_inds.tolist() == [1, 2]
    again = import_vpd_release(tmp_path, tmp_path / 'out')
    assert again.failures == []
    assert again.counts['videos with crops'] == 1


def test_flow_code_is_unbiased():
    flow = np.random.default_rng(0).uniform(-20, 20, (64, 64, 2)).astype(np.float32)
    codes = ((flow + 20) * (255 / 41)).astype(np.uint8)
    error = decode_flow_image(np.dstack([codes[..., :1], codes[..., ::-1]])) - flow
    assert np.abs(error).max() < 0.5 * 41 / 255 + 1e-4
    assert abs(error.mean()) < 0.005


def test_crops_of_tennis_are_numbered_by_the_match(tmp_path):
    write_crops(tmp_path / 'm/back', [99, 100, 105, 110])
    meta = tmp_path / 'tennis.json'
    meta.write_text(json.dumps({'back__m_100_110': META, 'front__m_100_110': META}))
    report = import_vpd_release(tmp_path, tmp_path / 'out', meta=meta)
    assert report.counts == {'crops': 2, 'videos with crops': 1}
    assert CropStore(tmp_path / 'out/athlete/crops').header('back__m_100_110').frame_inds.tolist() == [0, 5]


def test_crop_errors_leave_nothing_of_the_video(tmp_path):
    write_pose(tmp_path, 'a')
    write_pose(tmp_path, 'b')
    flow = np.zeros((SIZE, SIZE, 2))
    write_crops(tmp_path / 'crops/a', [0, 1, 2], flow)
    write_crops(tmp_path / 'crops/b', [0], flow)
    path = tmp_path / 'crops/a/2.png'
    path.write_bytes(path.read_bytes()[:500])
    report = import_vpd_release(tmp_path, tmp_path / 'out')
    assert [line.split('crops/')[1] for line in report.failures] == [
        'a/2.png: not a readable PNG, JPEG or BMP; copy it again'
    ]
    assert CropStore(tmp_path / 'out/athlete/crops').videos() == ['b']
    cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
    assert '2.png: side is 64, that of the first crop 128' in import_vpd_release(tmp_path, tmp_path / 'out').failures[0]
    (tmp_path / 'crops/a/0.raft.png').write_bytes(b'')
    report = import_vpd_release(tmp_path, tmp_path / 'out')
    assert 'flow images of several kinds; there are flow, raft; pass one of them' in report.failures[0]
    assert 'no <frame>.x.png' in import_vpd_release(tmp_path, tmp_path / 'out', flow='x').failures[0]


def test_features_join_a_corpus(tmp_path):
    write_pose(tmp_path, 'a')
    import_vpd_release(tmp_path, tmp_path / 'out')
    write_features(tmp_path / 'embs/vi-vpd/a.emb.pkl')
    write_features(tmp_path / 'embs/vi-vpd/late.emb.pkl')
    (tmp_path / 'embs/vi-vpd/evil.emb.pkl').write_bytes(b'cos\nsystem\n(S"true"\ntR.')
    meta = tmp_path / 'meta.json'
    meta.write_text(json.dumps({'evil': META}))
    report = import_vpd_release(tmp_path / 'embs', tmp_path / 'out', meta=meta)
    assert report.counts == {'videos with features': 1, 'features': 3}
    assert 'refused, the pickle holds' in report.failures[0]
    assert "fps and length of 'late' are unknown; pass --meta" in report.failures[1]
    corpus = Corpus.open(tmp_path / 'out')
    store = FeatureStore(corpus.features_dir('vi-vpd'))
    assert store.videos() == ['a']
    assert store['a'].feats[:, 1, 0].tolist() == [0, 1, 2]
    import_vpd_release(tmp_path / 'embs/vi-vpd', tmp_path / 'out', teacher=True, name='vipe')
    assert FeatureStore(corpus.teacher_dir('vipe')).videos() == ['a']


def test_an_unexpected_error_of_one_video_costs_that_video(tmp_path, monkeypatch):
    write_pose(tmp_path, 'a')
    write_pose(tmp_path, 'b')
    read = vpd_release.read_boxes

    def read_boxes(folder, video, *args):
        if video == 'a':
            raise KeyError('unforeseen')
        return read(folder, video, *args)

    monkeypatch.setattr(vpd_release, 'read_boxes', read_boxes)
    report = import_vpd_release(tmp_path, tmp_path / 'out')
    assert [line.split('pose/')[1] for line in report.failures] == ["a/boxes.json: KeyError: 'unforeseen'"]
    assert list(Corpus.open(tmp_path / 'out').videos()) == ['b']


def test_a_clip_of_a_match_above_the_folder_is_not_searched(tmp_path):
    write_crops(tmp_path / 'back', [0])
    write_crops(tmp_path / 'crops/x', [0])
    meta = tmp_path / 'meta.json'
    meta.write_text(json.dumps({'back__.._0_10': META}))
    report = import_vpd_release(tmp_path / 'crops', tmp_path / 'out', meta=meta)
    assert 'no crops of a known video' in report.failures[0]


def test_nothing_to_import(tmp_path):
    with pytest.raises(UserError, match=r'holds no <video>/boxes\.json'):
        import_vpd_release(tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_poses_for_a_corpus(tmp_path):
    write_pose(tmp_path, 'a')
    write_pose(tmp_path, 'b')
    import_vpd_release(tmp_path, tmp_path / 'out')
    (tmp_path / 'pose/b/coco_keypoints.json.gz').unlink()
    report = import_poses(tmp_path / 'pose', tmp_path / 'out', name='mine')
    assert report.counts == {'videos with poses': 1, 'poses': 3, 'people with COCO-17 joints': 3}
    assert "no poses of 'b'" in report.failures[0]
    with pytest.raises(UserError, match='pose set name'):
        import_poses(tmp_path / 'pose', tmp_path / 'out', name='../x')


def encode_mask(mask):
    return base64.encodebytes(cv2.imencode('.png', mask.astype(np.uint8) * 255)[1].tobytes()).decode()


def test_masks(tmp_path):
    (tmp_path / 'v').mkdir()
    part = np.array([[True, False], [True, True], [False, True]])
    entries = [
        [3, [[0.85, [0, 0, 9, 9], 'xx=='], [0.9, [4.7, 2, 2, 3], encode_mask(part)]]],
        [4, [[0.5, [0, 0, 1, 1], '']]],
    ]
    (tmp_path / 'v/mask.json.gz').write_bytes(gzip.compress(json.dumps(entries).encode()))
    masks = read_masks(tmp_path, 'v', num_frames=5)
    assert list(masks) == [3]
    mask = masks[3].full(8, 6)
    np.testing.assert_array_equal(mask[2:5, 4:6], part)
    assert mask.sum() == part.sum()
    np.testing.assert_array_equal(masks[3].full(5, 4)[2:4, 4], part[:2, 0])  # cut at the frame
    assert read_masks(tmp_path, 'none') == {}
    entries[0][1] = [[0.9, [0, 0, 2, 3], base64.b64encode(b'no png').decode()]]
    (tmp_path / 'v/mask.json.gz').write_bytes(gzip.compress(json.dumps(entries).encode()))
    with pytest.raises(UserError, match=r'entry 0 \(frame 3\): mask: not a readable PNG'):
        read_masks(tmp_path, 'v')[3].full(8, 6)
    with pytest.raises(UserError, match='frame 4 is past the end'):
        read_masks(tmp_path, 'v', num_frames=4)


def test_tool(tmp_path, run_python, request):
    tool = request.config.rootpath / 'tools/import_dataset.py'
    env = {'PYTHONPATH': str(request.config.rootpath)}
    write_pose(tmp_path, 'a')
    done = run_python(tool, 'vpd-release', tmp_path, '--out', 'out', cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert 'videos with boxes and poses' in done.stdout
    write_pose(tmp_path, 'b')
    (tmp_path / 'pose/b/boxes.json').write_text('[[')
    done = run_python(tool, 'vpd-release', tmp_path, '--out', 'out', cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert 'failed: ' in done.stdout
    assert 'b/boxes.json: truncated' in done.stdout
    done = run_python(tool, 'penn-action', tmp_path, '--out', 'out', cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert done.stderr.count('\n') == 1
    assert done.stderr.startswith('error: ')


def test_real_release(shared, tmp_path):
    report = import_vpd_release(shared / 'videos/poses', tmp_path / 'out')
    assert report.counts == {
        **{'videos with boxes and poses': 2, 'boxes': 225 + 103, 'poses': 208 + 103},
        'people with COCO-17 joints': 208 + 103,
    }
