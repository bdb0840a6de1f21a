"""Detector and tracker in one pass, crop, flow and student in another: the numbers of a corpus."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID

from ..errors import UserError
from ..prepare.models import Models
from ..prepare.options import PrepareSettings
from ..prepare.tracking_pass import check_box_sizes, find_tracks
from ..structures import AthleteTrack, FeatureSequence
from .frame_source import FrameSource
from .student_pass import StudentChain

#: Called with (what, frames done, frames in all).
Told = Callable[[str, int, int], None]


class OfflineChain:
    """All athletes of a whole video.

    Args:
        chain: Crop to feature.
        settings: Where boxes come from.
        models: Hold the detector.
    """

    def __init__(self, chain: StudentChain, settings: PrepareSettings, models: Models) -> None:
        self.chain, self.settings, self.models = chain, settings, models

    def __call__(
        self, source: FrameSource, batch_size: int, track: AthleteTrack | None, told: Told
    ) -> tuple[dict[str, tuple[AthleteTrack, FeatureSequence]], int]:
        """Name ('' = the only one) to track and features, and the number of frames.

        Args:
            source: The frames; read twice, or once where ``track`` is given.
            batch_size: Crops a forward pass.
            track: Boxes, where they are known.
            told: Hears how far it is.

        Raises:
            UserError: nobody is found, or a box is off.
        """
        name = source.path.stem
        if track is None:
            tracks = find_tracks(
                self.settings, self.models, source, lambda done, total: told(f'{name}: athlete', done, total)
            )
        elif not len(track):
            raise nobody_found(source, source.num_frames, 'given')
        else:
            check_box_sizes(track, source, 'bboxes')
            tracks = {'': track}
        features, end = self.chain.extract(
            source, list(tracks.values()), batch_size, lambda done, total: told(f'{name}: features', done, total)
        )
        if getattr(source, 'num_damaged', 0):
            end = source.num_frames
        pairs = zip(tracks, tracks.values(), features, strict=True)
        return {athlete: (_cut_track(t, end), f) for athlete, t, f in pairs}, end


def nobody_found(source: FrameSource, num_frames: int, boxes: str) -> UserError:
    """The error where a video shows no athlete."""
    return UserError(
        f'{source.path}: no person found in {num_frames} frames with boxes {boxes}; look at the video, ease the '
        'tracker rules, or give boxes'
    )


@contextmanager
def progress_bars(shown: bool) -> Iterator[Told]:
    """Yields a function that moves a bar on stderr, one for each thing that is told."""
    tasks: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True, disable=not shown) as bars:

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total)

        yield told


def _cut_track(track: AthleteTrack, end: int) -> AthleteTrack:
    """Without frames from ``end`` on: they did not decode."""
    keep = int(np.searchsorted(track.frame_inds, end))
    if keep == len(track):
        return track
    return AthleteTrack(track.frame_inds[:keep], track.boxes[:keep], track.scores[:keep])
