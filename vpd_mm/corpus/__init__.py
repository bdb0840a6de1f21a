"""A corpus on disk: paths, index, lock; crops in LMDB shards; feature sequences; provenance."""

from .corpus import Corpus, VideoInfo
from .crop_store import CropHeader, CropStore
from .crop_writer import CropWriter
from .feature_store import FeatureStore
from .sports import PROTOCOLS, SPORTS, Window

__all__ = [
    'PROTOCOLS',
    'SPORTS',
    'Corpus',
    'CropHeader',
    'CropStore',
    'CropWriter',
    'FeatureStore',
    'VideoInfo',
    'Window',
]
