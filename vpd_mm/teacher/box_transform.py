"""mmpose's random box transform without SciPy's truncated normal, which costs more than the picture it is drawn for."""

import numpy as np
from mmpose.datasets.transforms import RandomBBoxTransform
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class QuickBBoxTransform(RandomBBoxTransform):
    """``mmpose.RandomBBoxTransform`` whose truncated normal is drawn by rejection; same arguments, keys and law."""

    @staticmethod
    def _truncnorm(low: float = -1.0, high: float = 1.0, size: tuple = ()) -> np.ndarray:
        values = np.random.standard_normal(size)
        while (outside := (values < low) | (values > high)).any():
            values = np.where(outside, np.random.standard_normal(size), values)
        return values.astype(np.float32)
