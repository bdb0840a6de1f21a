"""The stand-in reads and evaluates COCO key points as xtcocotools 1.14.3 does (numbers computed with its COCOeval)."""

import json
from importlib.machinery import EXTENSION_SUFFIXES

import numpy as np
import pytest

from vpd_mm.compat import xtcocotools as bridge
from vpd_mm.compat.bridge import missing

pytestmark = pytest.mark.filterwarnings('ignore')
stand_in = pytest.mark.skipif(not missing('mmpose', 'xtcocotools')(), reason='xtcocotools itself is installed')
# [iou_type, use_area] -> stats of xtcocotools' own COCOeval on the files below.
GOLDEN = {
    ('keypoints', True): [0.534524, 1.0, 0.413779, -1.0, 0.534524, 0.591667, 1.0, 0.625, -1.0, 0.591667],
    ('keypoints', False): [0.571456, 1.0, 0.612211, -1.0, 0.571456, 0.616667, 1.0, 0.75, -1.0, 0.616667],
    ('keypoints_crowd', True): [0.534524, 1.0, 0.413779, 0.591667, 1.0, 0.625, 0.5226, 0.53, 0.6505],
    ('keypoints_crowd', False): [0.571456, 1.0, 0.612211, 0.616667, 1.0, 0.75, 0.5528, 0.5722, 0.6505],
}


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    rng = np.random.default_rng(0)
    images, annotations, detections = [], [], []
    for i in range(12):
        images.append(dict(id=i, file_name=f'{i}.jpg', width=200, height=200, crowdIndex=float(rng.random())))
        for _ in range(2):
            points, visible = rng.uniform(20, 180, (17, 2)), rng.integers(0, 3, 17)
            truth = np.c_[points * (visible > 0)[:, None], visible].ravel().tolist()
            box = dict(bbox=[20.0, 20.0, 160.0, 160.0], area=160 * 160 * 0.5, iscrowd=0)
            own = dict(id=len(annotations) + 1, image_id=i, category_id=1, keypoints=truth)
            annotations.append(box | own | dict(num_keypoints=int((visible > 0).sum())))
            found = np.c_[points + rng.normal(0, 6, (17, 2)), np.ones(17)].ravel().tolist()
            detections.append({'image_id': i, 'category_id': 1, 'keypoints': found, 'score': float(rng.random())})
    person = {'id': 1, 'name': 'person', 'keypoints': [f'k{i}' for i in range(17)], 'skeleton': []}
    folder = tmp_path_factory.mktemp('coco')
    truth = {'images': images, 'annotations': annotations, 'categories': [person]}
    (folder / 'truth.json').write_text(json.dumps(truth))
    (folder / 'found.json').write_text(json.dumps(detections))
    return str(folder / 'truth.json'), str(folder / 'found.json')


@stand_in
@pytest.mark.parametrize(('iou_type', 'use_area'), list(GOLDEN))
def test_evaluation_as_mmpose_calls_it(files, iou_type, use_area):
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval

    coco = COCO(files[0])
    evaluation = COCOeval(coco, coco.loadRes(files[1]), iou_type, np.full(17, 0.05), use_area)
    evaluation.params.useSegm = None  # mmpose.evaluation.CocoMetric does
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert np.asarray(evaluation.stats, float) == pytest.approx(GOLDEN[iou_type, use_area], abs=1e-4)


@stand_in
def test_index_and_masks(files):
    import xtcocotools.mask as masks
    from xtcocotools.coco import COCO

    coco = COCO(files[0])
    assert coco.anno_file == [files[0]]
    assert coco.getImgIds() == list(range(12))
    assert [ann['image_id'] for ann in coco.loadAnns(coco.getAnnIds(imgIds=[3]))] == [3, 3]
    square = masks.frPyObjects([[1, 1, 5, 1, 5, 5, 1, 5]], 8, 8)
    assert masks.decode(masks.merge(square)).sum() == 16


@pytest.mark.skipif(np.__version__.startswith('1.'), reason='a NumPy 1 binary is right here')
@pytest.mark.parametrize(('binary', 'bridged'), [(b'numpy.core.multiarray', True), (bridge.NUMPY_2_MARK, False)])
def test_installed_for_numpy_1_borrows_the_compiled_masks(run_python, tmp_path, binary, bridged):
    """Only the marks that a compiled file carries are made up here: what the file would do, NumPy 2 forbids."""
    package = tmp_path / 'xtcocotools'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / f'_mask{EXTENSION_SUFFIXES[0]}').write_bytes(binary)
    code = (
        'from vpd_mm.compat import BRIDGES\n'
        'print(*(bool(bridge.applies()) for bridge in reversed(BRIDGES) if bridge.name.startswith("xtcoco")))\n'
        'import xtcocotools._mask as mask\n'
        'print(mask.frPyObjects.__module__)\n'
    )
    done = run_python('-c', code, cwd=tmp_path, env={'PYTHONPATH': str(tmp_path)})
    assert done.stdout.splitlines()[0] == f'{bridged} False'
    assert (done.returncode == 0) is bridged, done.stderr
    if bridged:
        assert done.stdout.splitlines()[1] == 'pycocotools._mask'
