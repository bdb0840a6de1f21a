import numpy as np
import pytest

from benchmarks.teacher_metrics import ap50
from vpd_mm.engine.checkpoint_packer import MAX_BYTES, check_packed
from vpd_mm.errors import UserError
from vpd_mm.synthetic.checkpoints import packed_model, packed_source
from vpd_mm.synthetic.generic import GenericRecipe, generic_images


@pytest.fixture(scope='module')
def detector():
    pytest.importorskip('mmdet')
    from vpd_mm.athlete.athlete_detector import AthleteDetector

    return AthleteDetector(*packed_model('detector'), device='cpu', score_thr=0.1)


def test_checkpoint_digest():
    config, checkpoint = packed_model('detector')
    assert packed_source('detector') == f'mmdet:{config}:{checkpoint}'
    assert check_packed(checkpoint).stat().st_size <= MAX_BYTES
    with pytest.raises(UserError, match='teacher, detector'):
        packed_model('judge')


def test_ap_on_everyday_people(detector):
    images, people, ignored = [], [], []
    for image, persons in generic_images(GenericRecipe(seed=77), 'val', 16):
        boxes = np.array([person.box for person in persons]).reshape(-1, 4)
        clear = np.array([(person.visibility == 2).sum() >= 10 for person in persons], bool)
        images.append(image)
        people.append(boxes[clear])
        ignored.append(boxes[~clear])
    assert sum(map(len, people)) >= 16
    assert ap50(detector.detect(images), people, ignored) > 0.75


def test_no_detections_in_an_empty_image(detector):
    assert all(
        len(boxes) == 0 or boxes[0, 4] < 0.5 for boxes in detector.detect([np.full((256, 256, 3), 120, np.uint8)])
    )
