"""A reader of videos over PyAV that mmaction2 can use in place of decord's."""

from collections.abc import Sequence

import numpy as np
from av import VideoFrame
from av.video.reformatter import VideoReformatter

from ..files import frame_to_rgb, open_video


class DecordLikeFrame(np.ndarray):
    """RGB uint8 array with the ``asnumpy`` of decord."""

    def asnumpy(self) -> np.ndarray:
        return self.view(np.ndarray)


class PyAVReader:
    """The part of ``decord.VideoReader`` that DecordInit and DecordDecode use, over PyAV.

    Frame n is the n-th that is shown.  Opening reads the packets without decoding: length and rate are theirs, as
    headers may be wrong.  Each request decodes from the start in one pass, so that frame numbers are exact.
    """

    def __init__(self, file: bytes) -> None:
        self._file = file
        self._position = 0
        with open_video(self._file) as container:
            stream = container.streams.video[0]
            stamps = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
            known = [stamp for stamp in stamps if stamp is not None] or [0]
            span = float((max(known) - min(known)) * (stream.time_base or 0))
            self._length = len(stamps)
            self._fps = (len(known) - 1) / span if span else float(stream.average_rate or 0)

    def __len__(self) -> int:
        return self._length

    def get_avg_fps(self) -> float:
        return self._fps

    def get_batch(self, indices: Sequence[int]) -> DecordLikeFrame:
        """Return frames (n, H, W, 3) RGB uint8 in the requested order; an index past the end gives the last frame."""
        wanted = [index + self._length * (index < 0) for index in np.ravel(indices).tolist()]
        frames: dict[int, np.ndarray] = {}
        newest, converter = None, VideoReformatter()

        def to_rgb(frame: VideoFrame) -> np.ndarray:
            return frame_to_rgb(frame, converter, (frame.width, frame.height))

        with open_video(self._file) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            for index, newest in enumerate(container.decode(stream)):
                if index in wanted:
                    frames[index] = to_rgb(newest)
                if index >= max(wanted):
                    break
        if newest is None:
            raise ValueError('the video has no frame that decodes')
        if past_end := set(wanted) - frames.keys():
            frames |= dict.fromkeys(past_end, to_rgb(newest))
        return np.stack([frames[index] for index in wanted]).view(DecordLikeFrame)

    def seek(self, index: int) -> None:
        self._position = int(index)

    def next(self) -> DecordLikeFrame:
        self._position += 1
        return self.get_batch([self._position - 1])[0]
