"""Files of the public VPD release: poses, crops, flow, masks and features."""

import gzip
import json
import pickle

import cv2
import numpy as np

SIZE = 128
META = {'fps': 25.0, 'num_frames': 10, 'width': 320, 'height': 240}


def smooth_image(channels, seed=0):
    noise = np.random.default_rng(seed).uniform(0, 255, (6, 6, channels)).astype(np.float32)
    return np.clip(cv2.resize(noise, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), 0, 255)


def write_pose(root, video, frames=range(3)):
    folder = root / 'pose' / video
    folder.mkdir(parents=True)
    (folder / 'meta.json').write_text(json.dumps(META))
    (folder / 'boxes.json').write_text(json.dumps([[t, [10, 10, 50, 80]] for t in frames]))
    joints = [[20.0, 30.0, 0.9]] * 17
    poses = [[t, [[0.9, [10, 10, 50, 80], joints]]] for t in frames]
    (folder / 'coco_keypoints.json.gz').write_bytes(gzip.compress(json.dumps(poses).encode()))


def write_crops(folder, frames, flow=None):
    """Write crops like the published code: BGR files; flow as floor((f + 20) * 255 / 41) in blue and green."""
    folder.mkdir(parents=True)
    for t in frames:
        rgb = smooth_image(3, t).astype(np.uint8)
        cv2.imwrite(str(folder / f'{t}.png'), rgb[..., ::-1])
        cv2.imwrite(str(folder / f'{t}.prev.png'), rgb)
        if flow is not None:
            codes = ((np.clip(flow, -20, 20) + 20) * (255 / 41)).astype(np.uint8)
            cv2.imwrite(str(folder / f'{t}.flow.png'), np.dstack([codes, np.full((SIZE, SIZE), 128, np.uint8)]))
        mask = np.zeros((SIZE, SIZE, 1), np.uint8)
        mask[20:90, 30:60] = 255
        cv2.imwrite(str(folder / f'{t}.mask.png'), mask)


def write_features(path, frames=range(3), dims=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps([(t, np.full((2, dims), t, np.float32), {'kp_score': 0.5}) for t in frames]))
