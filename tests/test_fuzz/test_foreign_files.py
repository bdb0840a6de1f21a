"""Mutated and structured-but-wrong files of other programs: read, or refused in one line, in a limited time."""

import base64
import gzip
import io
import json
import pickle
from functools import partial

import cv2
import numpy as np
import pytest
import scipy.io
from fuzzing import mutated, read_or_refuse
from hypothesis import given
from hypothesis import strategies as st

from vpd_mm.corpus.image_file import read_image
from vpd_mm.importers import (
    ReleasePoses,
    import_labels,
    import_vpd_release,
    read_boxes,
    read_diving48,
    read_feature_pickle,
    read_fsjump6,
    read_fx35,
    read_masks,
    read_poses,
    read_tennis7,
    read_video_meta,
)
from vpd_mm.importers.penn_action import read_penn_clip
from vpd_mm.teacher.mocap_poses import MocapPoses

RNG = np.random.default_rng(0)
META = {'fps': 25.0, 'num_frames': 100, 'width': 320, 'height': 240}
BOX = [10, 10, 50, 80]
JOINTS = np.round(RNG.uniform(0, 90, (17, 3)), 1).tolist()
INSTANCE = {
    'keypoints': [row[:2] for row in JOINTS],
    'keypoint_scores': [0.5] * 17,
    'bbox': [[0, 0, 9, 9]],
    'bbox_score': 0.9,
}
FLAT = [float(v) for row in JOINTS for v in row]
PNG = cv2.imencode('.png', np.eye(16, dtype=np.uint8) * 255)[1].tobytes()
RGB = RNG.integers(0, 255, (16, 16, 3), dtype=np.uint8)


def saved(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


#: Format to file name, valid content as JSON, and reader of a folder.
JSON_FORMATS = {
    'boxes': ('v/boxes.json', [[0, BOX], [3, BOX]], partial(read_boxes, video_name='v', num_frames=9)),
    'release': ('v/coco_keypoints.json', [[0, [[0.9, BOX, JOINTS]]]], partial(read_poses, video_name='v')),
    'mmpose': ('v.json', [{'frame_id': 0, 'instances': [INSTANCE]}], partial(read_poses, video_name='v')),
    'mmpose demo': (
        'results_v.json',
        {'instance_info': [{'frame_id': 1, 'instances': [INSTANCE]}]},
        partial(read_poses, video_name='v'),
    ),
    'mmpose images': ('v/000001.json', [INSTANCE], partial(read_poses, video_name='v')),
    'coco results': (
        'v.json',
        [{'image_id': 'v_7', 'keypoints': FLAT, 'score': 0.5, 'bbox': BOX}],
        partial(read_poses, video_name='v'),
    ),
    'coco annotations': (
        'v.json',
        {
            'images': [{'id': 1, 'file_name': 'v/000002.jpg'}],
            'annotations': [{'image_id': 1, 'keypoints': [9.0, 8.0, 2] * 17, 'bbox': BOX}],
        },
        partial(read_poses, video_name='v'),
    ),
    'openpose': (
        'v_000000000001_keypoints.json',
        {'people': [{'pose_keypoints_2d': (FLAT * 2)[:75]}]},
        partial(read_poses, video_name='v'),
    ),
    'masks': (
        'v/mask.json',
        [[0, [[0.9, BOX, base64.b64encode(PNG).decode()]]]],
        lambda root: [mask.full(64, 48) for mask in read_masks(root, 'v').values()],
    ),
    'video meta': ('x.json', {'v': META, 'w': META}, lambda root: read_video_meta(root / 'x.json')),
}


def write(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


#: Not from all of Unicode, whose table takes hypothesis seconds.
TEXT = st.text('a0:_é²٣\ud800\x1b\n/," ', max_size=5)
HUGE = [float('nan'), float('inf'), 1e308, -1e308, 10**400, -(10**400), 2**63, 2**31, -1, 0, 0.5]
SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.sampled_from(HUGE)),
    st.sampled_from(['', '../../x', '/etc/x', 'a\0b', '\ud800', '9' * 400, 'v', '²', '٣', '1e999', 'a,"b', 'x' * 5000]),
)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(TEXT, v, max_size=3), max_leaves=8)


@st.composite
def changed(draw, content):
    """``content`` with one value, at any depth, replaced, removed or repeated."""
    if not isinstance(content, (list, dict)) or not content or draw(st.integers(0, 4)) == 0:
        return draw(VALUES)
    places = list(content) if isinstance(content, dict) else range(len(content))
    place = draw(st.sampled_from(list(places)))
    copy = content.copy()
    kind = draw(st.sampled_from(['inside', 'inside', 'inside', 'remove', 'repeat', 'name']))
    if kind == 'remove':
        del copy[place]
    elif kind == 'repeat' and isinstance(copy, list):
        copy.insert(place, copy[place])
    elif kind == 'name' and isinstance(copy, dict):
        copy[draw(TEXT | st.sampled_from(['../x', '\ud800', 'a\nb', 'x' * 300]))] = copy.pop(place)
    else:
        copy[place] = draw(changed(content[place]))
    return copy


@pytest.mark.parametrize('name', JSON_FORMATS)
def test_json(name, tmp_path):
    file, content, read = JSON_FORMATS[name]
    write(tmp_path, file, content)
    assert read(tmp_path)

    @given(st.one_of(changed(content), mutated(json.dumps(content).encode())))
    def check(value):
        write(tmp_path, file, value)
        read_or_refuse(lambda: read(tmp_path))

    check()


def test_gzip(tmp_path):
    content = gzip.compress(json.dumps([[0, BOX], [3, BOX]]).encode())

    @given(mutated(content))
    def check(data):
        write(tmp_path, 'v/boxes.json', data)
        read_or_refuse(lambda: read_boxes(tmp_path, 'v'))

    check()


def penn_label(compress):
    fields = {
        'action': ['jump'],
        'x': np.ones((4, 13)),
        'y': np.ones((4, 13)),
        'visibility': np.ones((4, 13), np.uint8),
    }
    fields |= {'train': 1, 'bbox': np.tile([1.0, 2, 5, 9], (4, 1)), 'dimensions': [270, 480, 4], 'nframes': 4}
    return saved(scipy.io.savemat, fields, do_compression=compress)


ENTRIES = [
    (3, np.ones((2, 4), np.float32), {'kp_score': 0.5, 'is_3d': False}),
    (np.int64(4), np.asfortranarray(np.ones((2, 4))), {'kp_score': np.float64(0.75)}),
]
SEQUENCES = {('man', 'walk'): [(np.zeros(3), 10.0, np.ones((2, 3))), None]}
#: Format to valid content and reader of a file.
BINARY_FORMATS = {
    **{f'features {p}': (pickle.dumps(ENTRIES, p), partial(read_feature_pickle, num_frames=9)) for p in (2, 4, 5)},
    'poses': (pickle.dumps(SEQUENCES, 4), lambda path: ReleasePoses(path, [0, 1]).poses()),
    'video meta': (pickle.dumps({'v': (25.0, 10, 320, 240)}, 2), read_video_meta),
    'mat': (penn_label(False), read_penn_clip),
    'mat, compressed': (penn_label(True), read_penn_clip),
    'mocap': (
        saved(np.savez, S=np.ones((3, 17, 4)), imgname=np.array(['a_1', 'a_2', 'b_1'])),
        lambda path: MocapPoses(path).poses(),
    ),
    'mocap, compressed': (
        saved(np.savez_compressed, S=np.ones((3, 17, 4)), imgname=np.array(['a_1', 'a_2', 'b_1'])),
        lambda path: MocapPoses(path).poses(),
    ),
    'png': (cv2.imencode('.png', RGB)[1].tobytes(), read_image),
    'jpeg': (cv2.imencode('.jpg', RGB)[1].tobytes(), read_image),
    'bmp': (cv2.imencode('.bmp', RGB)[1].tobytes(), read_image),
}


@pytest.mark.parametrize('name', BINARY_FORMATS)
def test_binary(name, tmp_path):
    content, read = BINARY_FORMATS[name]
    path = tmp_path / ('v.pkl' if 'meta' in name else 'v')
    path.write_bytes(content)
    assert read(path) is not None

    @given(mutated(content))
    def check(data):
        path.write_bytes(data)
        read_or_refuse(lambda: read(path))

    check()


def test_pickled_values(tmp_path):
    @given(changed([[3, [1.0] * 8, {'kp_score': 0.5}]]) | VALUES, st.integers(2, 5))
    def check(value, protocol):
        (tmp_path / 'v.pkl').write_bytes(pickle.dumps(value, protocol))
        read_or_refuse(lambda: read_feature_pickle(tmp_path / 'v.pkl'))
        read_or_refuse(lambda: read_video_meta(tmp_path / 'v.pkl'))
        read_or_refuse(lambda: ReleasePoses(str(tmp_path / 'v.pkl'), [0]).poses())

    check()


def videos(*names):
    return dict.fromkeys(names, META)


ROUTINE = 'a_E_000100_000200'
SEGMENTS = {'A_0001_0002': {'timestamps': [[1.1, 2.5]]}}
DIVE = {'vid_name': 'v_00001', 'label': 0, 'start_frame': 0, 'end_frame': 90}
#: Data set to its reader and files.
DATASETS = {
    'fsjump6': (
        read_fsjump6,
        {
            'fs.video_meta.json': videos('a_program_2017_1', 'a_program_2018_1'),
            'all.txt': b'a_program_2017_1:5:9 axel\na_program_2017_1:20:30 flip\n',
            'val.ids.txt': b'a_program_2017_1:20:30\n',
            'train_4_0.ids.txt': b'a_program_2017_1:5:9\n',
            'train.localize.0.txt': b'a_program_2017_1\n',
        },
    ),
    'tennis7': (
        read_tennis7,
        {
            'tennis.video_meta.json': videos('m_100_200', 'm_190_290'),
            'all.txt': b'm:front:150 overhead\nm:back:192 serve\n',
            'val.ids.txt': b'\n',
            'train_4_0.ids.txt': b'm:front:150\n',
        },
    ),
    'fx35': (
        read_fx35,
        {
            'fx.video_meta.json': videos(ROUTINE),
            'gym99_categories.txt': b'Clabel:  7; set: 21; Glabel:  68; (FX) switch leap\n',
            'gym99_train_element_v1.1.txt': f'{ROUTINE}_A_0001_0002 7\n'.encode(),
            'gym99_val_element.txt': b'gone_E_000001_000002_A_0001_0002 7\n',
            'finegym_annotation_info_v1.1.json': {'a': {'E_000100_000200': {'segments': SEGMENTS}}},
        },
    ),
    'diving48': (
        read_diving48,
        {
            'diving48.video_meta.json': videos('v_00001', 'v_00002'),
            'Diving48_vocab.json': [['Back', 'FREE'], ['Fwd', 'PIKE']],
            'Diving48_V2_train.json': [DIVE],
            'Diving48_V2_test.json': [DIVE | {'vid_name': 'v_00002', 'label': 1}],
            'train_4_0.ids.txt': b'v_00001\n',
        },
    ),
}


@pytest.mark.parametrize('name', DATASETS)
def test_labels(name, tmp_path_factory):
    read, files = DATASETS[name]
    source = tmp_path_factory.mktemp('source')

    def run(**changes):
        for file, content in (files | changes).items():
            write(source, file, content)
        out = tmp_path_factory.mktemp('out') / 'corpus'
        report = import_labels(read, source, out)
        import_labels(read, source, out)  # reads what was written
        return report

    assert run().counts['actions'] == 1 + (name != 'fx35') - (name == 'tennis7')

    @given(st.data())
    def check(data):
        file = data.draw(st.sampled_from(list(files)))
        content = files[file]
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        value = data.draw(mutated(raw) if isinstance(content, bytes) else changed(content) | mutated(raw))
        read_or_refuse(lambda: run(**{file: value}), 10)

    check()


def test_release(tmp_path_factory):
    source = tmp_path_factory.mktemp('source')
    flow = np.full((16, 16, 3), 127, np.uint8)
    images = {'': RGB, '.flow': flow, '.mask': np.eye(16, dtype=np.uint8)}
    files = {
        'pose/a/meta.json': json.dumps(META).encode(),
        'pose/a/boxes.json': json.dumps([[0, BOX]]).encode(),
        'pose/a/coco_keypoints.json.gz': gzip.compress(json.dumps([[0, [[0.9, BOX, JOINTS]]]]).encode()),
        'embs/a.emb.pkl': pickle.dumps(ENTRIES),
        **{f'crops/a/0{kind}.png': cv2.imencode('.png', image)[1].tobytes() for kind, image in images.items()},
    }

    def run(**changes):
        for file, content in (files | changes).items():
            write(source, file, content)
        return import_vpd_release(source, tmp_path_factory.mktemp('out') / 'corpus')

    assert run().failures == []

    @given(st.data())
    def check(data):
        file = data.draw(st.sampled_from(list(files)))
        report = read_or_refuse(lambda: run(**{file: data.draw(mutated(files[file]))}), 10)
        assert all('Error: ' not in line for line in report.failures), report.failures

    check()
