"""The generic domain: COCO files, determinism, options."""

import json

import cv2
import numpy as np
import pytest

from benchmarks.teacher_metrics import box_iou
from vpd_mm.errors import UserError
from vpd_mm.synthetic.generic import GenericRecipe, generic_images, make_generic
from vpd_mm.synthetic.moves import leaping_motion
from vpd_mm.synthetic.skeleton import Body

RECIPE = GenericRecipe(seed=2, width=160, height=128)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return make_generic(tmp_path_factory.mktemp('generic') / 'g', 10, 3, RECIPE)


def test_coco_api_reads_the_files(folder):
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
    val = json.loads((folder / 'annotations' / 'person_val.json').read_text())
    assert val['annotations'][0]['bbox'] != coco.loadAnns([1])[0]['bbox']


def test_workers_and_reruns_change_nothing(folder, tmp_path):
    make_generic(tmp_path / 'g', 10, 3, RECIPE, workers=2)
    for name in ('annotations/person_train.json', 'annotations/person_val.json', 'images/train_000009.jpg'):
        assert (tmp_path / 'g' / name).read_bytes() == (folder / name).read_bytes()
    calls = []
    make_generic(tmp_path / 'g', 10, 3, RECIPE, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(13, 13)]
    make_generic(tmp_path / 'g', 1, 0, RECIPE)
    name = 'annotations/person_train.json'
    assert (tmp_path / 'g' / name).read_bytes() == (folder / name).read_bytes(), 'smaller numbers remove nothing'


def _people(count, **options):
    """People in images of training, also those of whom all joints are in the image, and the upright share of these."""
    recipe = GenericRecipe(seed=2, width=160, height=128, **options)
    people = [person for _, who in generic_images(recipe, 'train', count) for person in who]
    whole = [p for p in people if (p.visibility > 0).all()]
    upright = np.mean([p.keypoints[5:7, 1].mean() < p.keypoints[11:13, 1].mean() for p in whole])
    return people, whole, upright


def test_people_are_upright_and_several():
    people, _, upright = _people(40)
    assert len(people) > 55
    assert upright > 0.97


def test_spectators_are_added_as_a_crowd_and_change_no_person(folder, tmp_path):
    with_public = GenericRecipe(seed=2, width=160, height=128, public=True)
    images_differ, added = [], 0
    for (image, people), (before, before_people) in zip(
        generic_images(with_public, 'train', 8), generic_images(RECIPE, 'train', 8), strict=True
    ):
        assert len(people) >= len(before_people)
        for person, same in zip(people, before_people):
            assert (person.keypoints == same.keypoints).all()
            assert (person.box == same.box).all()
        added += len(people) - len(before_people)
        images_differ.append((image != before).any())
    assert added > 10
    assert 3 <= sum(images_differ) < 8
    made = make_generic(tmp_path / 'g', 8, 0, with_public)
    crowd = list(json.loads((made / 'annotations' / 'person_train.json').read_text())['annotations'])
    assert sum(a['iscrowd'] and not a['num_keypoints'] for a in crowd) >= added
    with pytest.raises(UserError, match='was made with'):
        make_generic(folder, 10, 3, with_public)


def test_leaping_people_have_any_orientation():
    _, whole, upright = _people(40, leaping=1.0)
    assert len(whole) > 25
    assert 0.2 < upright < 0.8
    wide = np.mean([(p.box[2] - p.box[0]) > (p.box[3] - p.box[1]) for p in whole])
    assert 0.15 < wide < 0.85


def test_leaping_person_is_at_the_given_position_at_the_given_moment():
    rng, body = np.random.default_rng(0), Body()
    lying = 0
    for _ in range(20):
        motion = leaping_motion(rng, body, (1.0, -2.0), 0.5)
        now, later = (motion.posture(np.array([t])) for t in (0.5, 0.54))
        assert now.nodes[0, 0, :2] == pytest.approx([1.0, -2.0], abs=1e-6)
        if motion.airborne[0]:
            moved = np.linalg.norm(later.nodes - now.nodes, axis=-1)
            assert 0.001 < moved.max() < 1.0
        else:
            lying += 1
            assert np.min(now.nodes[0, :, 2] - body.contact_radii) == pytest.approx(0, abs=1e-6)
    assert 1 <= lying <= 12


def test_people_stand_apart_in_clear_images():
    shared = {}
    for clear in (False, True):
        recipe = GenericRecipe(seed=0, width=128, height=128, clear=clear)
        largest = []
        for _, who in generic_images(recipe, 'train', 25):
            for k, person in enumerate(who):
                others = np.array([p.box for p in who[:k] + who[k + 1 :]]).reshape(-1, 4)
                largest.append(max(box_iou(np.tile(person.box, (len(others), 1)), others), default=0.0))
        shared[clear] = np.mean(np.array(largest) > 0.1)
    assert shared[True] < 0.03
    assert shared[False] > 0.15


def test_over_places_leaping_people_in_front_of_others():
    near = {}
    for over in (False, True):
        recipe = GenericRecipe(seed=3, width=128, height=128, leaping=1.0, over=over)
        distances = []
        for _, who in generic_images(recipe, 'train', 20):
            middles = np.array([(p.box[:2] + p.box[2:]) / 2 for p in who]).reshape(-1, 2)
            heights = [p.box[3] - p.box[1] for p in who]
            for k in range(1, len(who)):
                distances.append(np.abs(middles[:k, 0] - middles[k, 0]).min() / max(heights[k], 1))
        near[over] = np.median(distances)
    assert near[True] < 0.5
    assert near[True] < 0.6 * near[False]


#: Mean of the keypoints, px, of each person in the first three images; the packed models were trained on these recipes.
RECIPES = [
    ({}, [[67.49], [78.86, 60.4], [66.03, 76.14]]),
    ({'public': True}, [[67.49], [78.86, 60.4], [66.03, 76.14]]),
    ({'clear': True}, [[67.49], [78.86, 58.87], [66.03, 96.02]]),
    ({'public': True, 'leaping': 0.4}, [[74.06], [66.31, 59.25], [75.45, 53.89]]),
    ({'public': True, 'leaping': 0.5, 'over': True}, [[74.06, 85.11], [66.31, 59.25], [75.45, 53.89]]),
]


@pytest.mark.parametrize(('options', 'golden'), RECIPES)
def test_images_of_a_recipe_do_not_change(options, golden):
    recipe = GenericRecipe(seed=2, width=160, height=128, **options)
    means = [
        [float(p.keypoints.mean()) for p in who if p.visibility.any()] for _, who in generic_images(recipe, 'train', 3)
    ]
    assert [len(who) for who in means] == [len(who) for who in golden]
    assert np.concatenate(means) == pytest.approx(np.concatenate(golden), abs=0.05)


def test_refusals(folder, tmp_path):
    (tmp_path / 'thesis.txt').write_text('mine')
    for arguments, message in (
        ((tmp_path, 1, 1), 'not made by this command'),
        ((folder, 10, 3, GenericRecipe(seed=3)), 'was made with'),
        ((tmp_path / 'new', -1, 1), 'train must be'),
        ((tmp_path / 'new', 0, 0), 'nothing to make'),
    ):
        with pytest.raises(UserError, match=message):
            make_generic(*arguments)
    assert not (tmp_path / 'new').exists()
    for options, message in (
        (dict(width=9), 'width must be'),
        *((dict(leaping=share), 'leaping must be a share') for share in (-0.1, 1.5, 'half', float('nan'))),
        (dict(over=True), 'over needs people who leap'),
        (dict(over=True, leaping=0.5, clear=True), 'not for clear images'),
    ):
        with pytest.raises(UserError, match=message):
            GenericRecipe(**options)
