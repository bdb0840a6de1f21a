"""The generic domain: COCO files that COCO's own reader takes, the same bytes for the same seed."""

import json

import cv2
import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.synthetic.generic import GenericRecipe, generic_images, make_generic

RECIPE = GenericRecipe(seed=2, width=160, height=128)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return make_generic(tmp_path_factory.mktemp('generic') / 'g', 10, 3, RECIPE)


def test_coco_reads_it(folder):
    coco = pytest.importorskip('xtcocotools.coco').COCO(str(folder / 'annotations' / 'person_train.json'))
    assert len(coco.getImgIds()) == 10
    for annotation in coco.loadAnns(coco.getAnnIds()):
        x, y, w, h = annotation['bbox']
        assert 0 <= x < x + w <= 160
        assert 0 <= y < y + h <= 128
        points = np.array(annotation['keypoints']).reshape(17, 3)
        assert (points[:, 2] > 0).sum() == annotation['num_keypoints']
        labelled = points[points[:, 2] > 0]
        assert ((labelled[:, 0] >= x - 2) & (labelled[:, 0] <= x + w + 2)).all()
    names = coco.loadCats([1])[0]['keypoints']
    assert names[5:7] == ['left_shoulder', 'right_shoulder']
    image = cv2.imread(str(folder / 'images' / coco.loadImgs([1])[0]['file_name']))
    assert image.shape == (128, 160, 3)


def test_workers_and_reruns_change_nothing(folder, tmp_path):
    make_generic(tmp_path / 'g', 10, 3, RECIPE, workers=2)
    for name in ('annotations/person_train.json', 'annotations/person_val.json', 'images/train_000009.jpg'):
        assert (tmp_path / 'g' / name).read_bytes() == (folder / name).read_bytes()
    calls = []
    make_generic(tmp_path / 'g', 10, 3, RECIPE, on_part=lambda done, total: calls.append((done, total)))
    assert calls == [(13, 13)]


def test_people_are_upright_and_several():
    people = [person for _, who in generic_images(RECIPE, 'train', 40) for person in who]
    assert len(people) > 55
    whole = [p for p in people if (p.visibility > 0).all()]
    upright = np.mean([p.keypoints[5:7, 1].mean() < p.keypoints[11:13, 1].mean() for p in whole])
    assert upright > 0.97


def test_a_public_stands_behind_the_same_people_and_is_a_crowd(folder, tmp_path):
    with_public = GenericRecipe(seed=2, width=160, height=128, public=True)
    pictures, added = [], 0
    for (image, people), (before, before_people) in zip(
        generic_images(with_public, 'train', 8), generic_images(RECIPE, 'train', 8), strict=True
    ):
        assert len(people) >= len(before_people)
        for person, same in zip(people, before_people):
            assert (person.keypoints == same.keypoints).all()
            assert (person.box == same.box).all()
        added += len(people) - len(before_people)
        pictures.append((image != before).any())
    assert added > 10
    assert 3 <= sum(pictures) < 8
    made = make_generic(tmp_path / 'g', 8, 0, with_public)
    crowd = list(json.loads((made / 'annotations' / 'person_train.json').read_text())['annotations'])
    assert sum(a['iscrowd'] and not a['num_keypoints'] for a in crowd) >= added
    with pytest.raises(UserError, match='was made with'):
        make_generic(folder, 10, 3, with_public)


def test_splits_differ(folder):
    parts = [json.loads((folder / 'annotations' / f'person_{s}.json').read_text()) for s in ('train', 'val')]
    assert parts[0]['annotations'][0]['bbox'] != parts[1]['annotations'][0]['bbox']


def test_refusals(folder, tmp_path):
    (tmp_path / 'thesis.txt').write_text('mine')
    with pytest.raises(UserError, match='not made by this command'):
        make_generic(tmp_path, 1, 1)
    with pytest.raises(UserError, match='was made with'):
        make_generic(folder, 10, 3, GenericRecipe(seed=3))
    with pytest.raises(UserError, match='train must be'):
        make_generic(tmp_path / 'new', -1, 1)
    with pytest.raises(UserError, match='width must be'):
        GenericRecipe(width=9)
