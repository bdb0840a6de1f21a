"""Length of a video whose container holds more packets than visible frames."""

import numpy as np
from media import make_video

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.prepare.corpus_builder import build_corpus


def test_track_and_table_are_cut_at_the_last_decoded_frame(tmp_path, monkeypatch):
    class ThreePacketsMore(VideoReader):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.num_frames += 3

    monkeypatch.setattr('vpd_mm.prepare.video_preparer.VideoReader', ThreePacketsMore)
    build_corpus([make_video(tmp_path / 'jump.mp4', 5)], tmp_path / 'c')
    corpus = Corpus.open(tmp_path / 'c')
    assert corpus.video('jump').num_frames == 5
    np.testing.assert_array_equal(corpus.track('jump').frame_inds, np.arange(5))
    assert len(CropStore(corpus.crops_dir).header('jump')) == 5
