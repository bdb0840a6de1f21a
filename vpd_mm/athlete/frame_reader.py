"""Single frames of a video file, wherever they lie."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from ..errors import UserError
from .video_reader import VideoReader, _tick


class FrameReader(VideoReader):
    """Random access to the frames that :class:`VideoReader` iterates over.

    Decoding starts at the key frame before the first frame asked for and goes
    on to the last; the frames are those that the iteration gives under the
    same numbers, as long as no packet is damaged.

    Args:
        path: The video file.
        fps: As for :class:`VideoReader`.
    """

    def read(self, frame_inds: Sequence[int]) -> dict[int, np.ndarray]:
        """Frame number to rgb (H, W, 3) uint8 of the frames asked for.

        Raises:
            UserError: a frame lies outside of the video or does not decode.
        """
        wanted = np.unique(np.asarray(frame_inds, np.int64))
        if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < self.num_frames:
            raise UserError(f'{self.path}: has frames 0..{self.num_frames - 1}, asked for {wanted[0]}..{wanted[-1]}')
        places = wanted
        if self._target is not None:  # a tick shows the last frame that is nearest to it or to an earlier one
            ticks = np.array([_tick(time - self._times[0], self._target) for time in self._times])
            places = np.searchsorted(np.maximum.accumulate(ticks), wanted, side='right') - 1
        images = self._decode_at(set(places.tolist()))
        missing = [int(frame) for frame, place in zip(wanted, places) if int(place) not in images]
        if missing:
            raise UserError(f'{self.path}: frame {missing[0]} does not decode; copy or encode the file again')
        return {int(frame): images[int(place)] for frame, place in zip(wanted, places)}

    def _decode_at(self, places: set[int]) -> dict[int, np.ndarray]:
        """Place in the file to rgb, as far as they decode."""
        images: dict[int, np.ndarray] = {}
        if not places:
            return images
        first, last = min(places), max(places)
        # Containers seek by decoding time, which may lead past the frame: then from farther back, and at last from 0.
        for back in (0.0, 1.0, 5.0, None):
            start = None if back is None else float(self._times[first]) - back
            images.clear()
            with closing(self._decode(start)) as frames:
                for count, (time, rgb) in enumerate(frames):
                    if time is None and start is not None:
                        break
                    place = count if time is None else int(np.argmin(np.abs(self._times - time)))
                    if count == 0 and place > first:
                        break
                    if place in places:
                        images[place] = rgb
                    if place >= last:
                        return images
        return images
