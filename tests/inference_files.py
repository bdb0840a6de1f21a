"""Small models with random weights, and a video of a person, for the tests of inference."""

from pathlib import Path

import numpy as np
import torch

from vpd_mm.engine.model_files import build_model, read_model_config
from vpd_mm.synthetic.generic import GenericRecipe, generic_images

STUDENT = """
default_scope = 'vpd_mm'
model = dict(type='PoseDistiller', decoder=dict(type='MotionDecoder', dims={dims}),
    student=dict(type='PoseStudent', out_dims={dims},
        backbone=dict(type='mmpose.ResNet', depth=18, base_channels=8, out_indices=(3,))))
test_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadCrop'), dict(type='LoadFlow'),
    dict(type='ResizedCrop', size=64, scale=(1.0, 1.0)), dict(type='StackFlow'), dict(type='PackCropInputs')]))
"""
RECOGNIZER = """
default_scope = 'vpd_mm'
model = dict(type='SequenceRecognizer', num_classes=2, backbone=dict(type='BiGRU', in_dims=52, hidden_dims=8))
test_dataloader = dict(dataset=dict(window=dict(before_sec=0.08, after_sec=0.04), fps=25.0,
    pipeline=[dict(type='AddVelocity'), dict(type='PackSequenceInputs')]))
"""
SCORER = """
default_scope = 'vpd_mm'
model = dict(type='FrameScorer', window=8,
    backbone=dict(type='BiGRU', in_dims=26, hidden_dims=8, pool=None))
test_dataloader = dict(dataset=dict(fps=25.0))
"""


def save_model(folder: Path, name: str, text: str, seed: int = 0, meta: dict | None = None) -> str:
    """Write config and checkpoint; returns CONFIG:CHECKPOINT."""
    (folder / f'{name}.py').write_text(text)
    torch.manual_seed(seed)
    model = build_model(read_model_config(folder / f'{name}.py'))
    if hasattr(model, 'student'):  # random weights give almost the same features for every crop
        model.student.fc.weight.data *= 300
    torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta or {}}}, folder / f'{name}.pth')
    return f'{folder / name}.py:{folder / name}.pth'


def walking_video(num_frames: int = 12) -> np.ndarray:
    """(T, 192, 192, 3) uint8: the camera pans over an image of a person that the packed detector finds."""
    for image, people in generic_images(GenericRecipe(seed=5), 'val', 40):
        (x1, y1, x2, y2) = people[0].box if len(people) == 1 else (0, 0, 0, 0)
        tall = y2 - y1 > 90 and x1 > 40 and x2 < 216
        if tall and (people[0].visibility == 2).sum() >= 15:
            top = int(np.clip((y1 + y2) / 2 - 96, 0, image.shape[0] - 192))
            left = int(np.clip((x1 + x2) / 2 - 96, num_frames, image.shape[1] - 192 - num_frames))
            starts = [left + i - num_frames // 2 for i in range(num_frames)]
            return np.stack([image[top : top + 192, s : s + 192] for s in starts])
    raise AssertionError('no such image')
