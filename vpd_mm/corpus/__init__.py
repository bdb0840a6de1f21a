"""A corpus on disk: paths, index, lock; crops in LMDB shards; feature sequences; provenance."""

from .corpus import LAYOUT_VERSION, Corpus
from .crop_store import Crop, CropHeader, CropStore
from .crop_writer import CropWriter
from .feature_store import FeatureStore
from .sports import SPORTS, Sport, Window, find_sport
from .video_table import VideoInfo, load_videos, save_videos

__all__ = [
    'LAYOUT_VERSION',
    'SPORTS',
    'Corpus',
    'Crop',
    'CropHeader',
    'CropStore',
    'CropWriter',
    'FeatureStore',
    'Sport',
    'VideoInfo',
    'Window',
    'find_sport',
    'load_videos',
    'save_videos',
]
