"""Annotations of the calibration: checked before a model runs."""

import json

import numpy as np
import pytest
from calibrate_teacher import calibrate, read_people

from vpd_mm.errors import UserError

PERSON = {'image_id': 7, 'iscrowd': 0, 'keypoints': [1.0, 2, 2] * 17, 'bbox': [10, 20, 30, 40]}


def write(root, file_name='val_000000.jpg', **changes):
    path = root / 'annotations/person_val.json'
    path.parent.mkdir(exist_ok=True)
    annotations = [PERSON | changes, PERSON | {'iscrowd': 1}]
    path.write_text(json.dumps({'images': [{'id': 7, 'file_name': file_name}], 'annotations': annotations}))
    return path


def test_people_of_the_images(tmp_path):
    [(name, keypoints, box)] = read_people(write(tmp_path))
    assert name == 'val_000000.jpg'
    np.testing.assert_array_equal(keypoints, np.tile([1.0, 2, 2], (1, 17, 1)))
    assert box.tolist() == [[10, 20, 40, 60]]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'file_name': '../../secret.jpg'}, 'image 0: video name'),
        ({'file_name': '/etc/x.jpg'}, 'image 0: video name'),
        ({'file_name': 3}, 'image 0: needs a text as file_name, found 3'),
        ({'image_id': 8}, 'annotation 0: image_id 8 is not among the images'),
        ({'image_id': [8]}, 'annotation 0: frame must be a whole number'),
        ({'keypoints': [1] * 50}, 'annotation 0: needs 51 keypoints, found a list of 50'),
        ({'keypoints': [10**400] * 51}, 'annotation 0: 51 keypoints holds NaN or infinity'),
        ({'bbox': None}, 'annotation 0: needs a box'),
    ],
)
def test_an_invalid_entry_is_named(tmp_path, changes, message):
    with pytest.raises(UserError, match=rf'person_val\.json: {message}'):
        list(read_people(write(tmp_path, **changes)))


def test_missing_images_say_how_they_are_made(tmp_path):
    with pytest.raises(UserError, match=r'person_val\.json: no such file; make it with tools'):
        calibrate('config.py', 'x.pth', tmp_path)
