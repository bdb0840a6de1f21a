"""CropHeader: round trip."""

import json

import numpy as np

from vpd_mm.corpus import CropHeader


def test_round_trip():
    given = CropHeader(32, None, None, 900, np.array([0, 1, 5]), np.arange(9).reshape(3, 3), np.array([0, 5]))
    read = CropHeader.from_json(json.dumps(given.to_json()).encode())
    for name, value in vars(given).items():
        np.testing.assert_array_equal(getattr(read, name), value)
