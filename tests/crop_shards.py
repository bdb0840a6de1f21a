"""Shards of crops for tests of their writer and readers."""

import cv2
import lmdb
import numpy as np

from vpd_mm.corpus.shard import ENVIRONMENTS

FLOW = {'method': 'dis', 'clip': 20.0, 'subtract_median': False}


def crop_image(i, size=32):
    noise = np.random.default_rng(i).integers(0, 255, (size // 4, size // 4, 3), dtype=np.uint8)
    return cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)


def crop_flow(i, size=32):
    coarse = np.random.default_rng(i).uniform(-15, 15, (4, 4, 2)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def write_video(writer, name, frames=(0, 1, 5), size=32, flow=FLOW, mask=True, whole=False):
    with writer.video(name, size, flow, whole) as video:
        for i in frames:
            video.add(
                i,
                (i - 10, 2 * i, 50),
                crop_image(i, size),
                crop_flow(i, size) if flow else None,
                np.eye(size, dtype=bool) if mask and i % 2 else None,
                crop_image(i, 64)[:48] if whole else None,
                start=i in (0, 5),
            )


def entries_of(shard):
    env = lmdb.open(str(shard), subdir=False, readonly=True, lock=False)
    with env.begin() as txn:
        entries = dict(txn.cursor())
    env.close()
    return entries


def replace_entry(shard, key, value):
    ENVIRONMENTS.close(shard)
    env = lmdb.open(str(shard), subdir=False, lock=False, map_size=16 << 20)
    with env.begin(write=True) as txn:
        txn.delete(key) if value is None else txn.put(key, value)
    env.close()
