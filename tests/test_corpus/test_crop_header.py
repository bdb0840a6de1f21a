"""CropHeader: round trip, and headers of older versions."""

import json

import numpy as np

from vpd_mm.corpus import CropHeader


def test_starts_are_kept_and_older_headers_have_none():
    given = CropHeader(1, 32, None, None, 900, np.array([0, 1, 5]), np.arange(9).reshape(3, 3), np.array([0, 5]))
    written = given.to_json()
    assert CropHeader.from_json(json.dumps(written).encode()).starts.tolist() == [0, 5]
    del written['starts']
    old = CropHeader.from_json(json.dumps(written).encode())
    assert (old.starts.tolist(), old.frame_inds.tolist(), old.num_bytes) == ([], [0, 1, 5], 900)
    np.testing.assert_array_equal(old.windows, given.windows)
