"""CropHeader: round trip."""

import json

import numpy as np
import pytest

from vpd_mm.corpus import CropHeader, CropStore, CropWriter
from vpd_mm.corpus.shard import header_key


def test_round_trip():
    given = CropHeader(32, None, None, 900, np.array([0, 1, 5]), np.arange(9).reshape(3, 3), np.array([0, 5]))
    read = CropHeader.from_json(json.dumps(given.to_json()).encode())
    for name, value in vars(given).items():
        np.testing.assert_array_equal(getattr(read, name), value)


@pytest.mark.parametrize(
    'source',
    [None, {'inputs': {'video': 'é"'}}, {'inputs': {}, 'windows': [1, 2]}, {'inputs': {'a': '"starts": [7]'}}],
)
@pytest.mark.parametrize('num_frames', [0, 3])
def test_settings_and_digest_do_not_parse_the_frames(tmp_path, source, num_frames):
    inds = np.array([0, 1, 5])[:num_frames]
    header = CropHeader(32, None, (8, 9), 900, inds, np.arange(9).reshape(3, 3)[:num_frames], inds[:1], source)
    shard, key = tmp_path / 'shard-0.lmdb', header_key('a')
    for layout in (None, 1):
        with CropWriter(shard) as writer:
            writer.commit([(key, json.dumps(header.to_json(), indent=layout).encode())])
        store = CropStore(tmp_path)
        assert store.header_text('a') == json.dumps(header.to_json(), sort_keys=True)
        settings = store.settings('a')
        assert (settings.size, settings.frame_shape, settings.source) == (32, (8, 9), source)
