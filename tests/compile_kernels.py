"""Compile the Numba kernels, which stay on disk: the processes of the tests would each do it at the same time."""

import numpy as np

from vpd_mm.distill.crop_kernel import WINDOW, augment_crop
from vpd_mm.repair.smoother import UNKNOWN, smooth
from vpd_mm.retrieve import dtw_distance
from vpd_mm.studio.search import compile_search
from vpd_mm.synthetic.generic import GenericRecipe, generic_images

compile_search()
for dtype in (np.float32, np.float64):
    dtw_distance(np.zeros((2, 2), dtype), np.zeros((2, 2), dtype))
next(iter(generic_images(GenericRecipe(), 'train', 1)))
ones = np.ones((2, 2))
for accelerations in (ones, np.broadcast_to(ones[0], (2, 2))):  # of poses, of placements
    smooth(np.ones((2, 2, 2, 1)), np.ones((2, 2, 2)), ones[..., None], ones, ones[0], accelerations, UNKNOWN)
crop, flow, sheet = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 2, 4), np.uint8), np.zeros((3, 4, 4), np.int16)
athlete, out = np.zeros((4, 4), bool), np.zeros((5, 4, 4), np.uint8)
augment_crop(crop, flow, bytes([WINDOW]), np.zeros((3, 4)), sheet, (0, 0), athlete, (0, 0, 4, 4), False, out)
