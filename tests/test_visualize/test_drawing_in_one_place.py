"""No module but those of visualize draws images, encodes videos, makes figures or renders HTML."""

import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / 'vpd_mm'
DRAWING = re.compile(
    r'cv2\.(?:line|polylines|rectangle|putText|circle|ellipse|arrowedLine)\b|\.add_stream\(|\bFigureCanvas\w+|'
    r'\bmatplotlib\.figure\b|\bjinja2\b|\bsupervision\.annotators\b|\bsv\.\w+Annotator\b'
)
#: What is drawn there is data: the synthetic sport and its venues, clips of a test data set, masks and blur kernels of
#: augmentations.
DATA = {
    'synthetic/venue.py',
    'baselines/generated_action_dataset.py',
    'distill/rotations.py',
    'athlete/detection_transforms.py',
}


def test_only_visualize_draws():
    drawing = {
        str(path.relative_to(PACKAGE)): sorted(set(DRAWING.findall(path.read_text(encoding='utf-8'))))
        for path in sorted(PACKAGE.rglob('*.py'))
        if path.parent.name != 'visualize'
    }
    drawing = {name: calls for name, calls in drawing.items() if calls}
    assert {name: calls for name, calls in drawing.items() if name not in DATA} == {}
    assert drawing.keys() == DATA  # no exemption that nothing needs
