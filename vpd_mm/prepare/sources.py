"""Which boxes, rules and poses a prepare run is about, noted in the corpus."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ..corpus import Corpus
from ..corpus.sources import claim_source
from .options import PrepareSettings, split_model
from .video_preparer import Job


def claim_sources(corpus: Corpus, settings: PrepareSettings, jobs: Sequence[Job], boxes_asked: bool) -> None:
    """Note where this run's boxes and poses come from, or refuse those that it would not look at.

    Args:
        corpus: To be written.
        settings: What is asked for.
        jobs: All videos of the run.
        boxes_asked: The user named boxes or rules; else tracks that are there are what is wanted.

    Raises:
        UserError: tracks or poses of these videos are there, made of something else.
    """
    tracked = [job.path.stem for job in jobs if job.is_tracked(corpus)]
    if boxes_asked or len(tracked) < len(jobs):
        cure = 'leave --boxes and --track out to keep them, pass only videos without tracks, or pass another --out'
        claim_source(corpus.tracks_dir, _box_source(settings), tracked if boxes_asked else [], cure)
    if (name := settings.pose_set) is not None:
        posed = [row.video for job in jobs for row in job.rows if corpus.pose_path(name, row.video).is_file()]
        cure = 'pass another --pose-name, or only videos without poses'
        claim_source(corpus.poses_dir(name), {'poses': _identity(settings.poses)}, posed, cure)


def _box_source(settings: PrepareSettings) -> dict:
    source: dict = {'boxes': _identity(settings.boxes)}
    return source | {'track': dict(settings.tracker)} if settings.boxes.startswith('mmdet:') else source


def _identity(spec: str) -> str:
    """A folder by its place; a model by the name of its config and what its checkpoint holds."""
    if spec in ('full', 'mediapipe'):
        return spec
    if not spec.startswith(('mmdet:', 'mmpose:')):
        return str(Path(spec).resolve())
    config, checkpoint = split_model(spec)
    if checkpoint and Path(checkpoint).is_file():
        checkpoint = hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest()[:16]
    return ':'.join(filter(None, [spec.partition(':')[0], Path(config).name, checkpoint]))
