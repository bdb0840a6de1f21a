"""Poses on disk to the features that teachers make of them: normalised 2D joints, VIPE* embeddings."""

from collections.abc import Callable

from ..corpus import Corpus
from ..corpus.sources import claim_source
from ..errors import UserError
from ..structures import FeatureSequence, PoseSequence
from ..teacher import JointFeature, fill_unseen
from .feature_extractor import claim_folder


def joint_features(corpus: Corpus, poses: str, name: str = 'joints') -> int:
    """Make ``teacher/<name>`` (``JointFeature``, D = 26, both views) of pose set ``poses``; what exists stays.

    Returns:
        The number of files written.

    Raises:
        UserError: there is no such pose set, or the folder holds joints of another.
    """
    feature = JointFeature()
    return _write(corpus, poses, name, lambda sequence: feature(fill_unseen(sequence)))


def vipe_features(
    corpus: Corpus, poses: str, feature: Callable[[PoseSequence], FeatureSequence], made_by: dict, name: str = 'vipe'
) -> int:
    """Make ``teacher/<name>`` by a ``VipeFeature`` of pose set ``poses``; what exists stays.

    Args:
        made_by: What identifies the run; a folder made by another is refused.

    Returns:
        The number of files written.

    Raises:
        UserError: there is no such pose set, or the folder holds features of another run.
    """
    return _write(corpus, poses, name, feature, made_by)


def _write(
    corpus: Corpus,
    poses: str,
    name: str,
    feature: Callable[[PoseSequence], FeatureSequence],
    made_by: dict | None = None,
) -> int:
    source, target = corpus.poses_dir(poses), corpus.teacher_dir(name)
    paths = sorted(source.glob('*.npz')) if source.is_dir() else []
    if not paths:
        known = ', '.join(corpus.pose_names()) or 'none'
        raise UserError(f'{source}: no poses; {corpus.root} has pose sets: {known}')
    if made_by is not None:
        claim_folder(target, made_by)
    else:  # folders of joints had no note of their origin, and may be without one
        kept = [path.stem for path in paths if (target / path.name).exists()]
        claim_source(target, {'poses': poses}, kept, 'pass another --out')
    written = 0
    for path in paths:
        if not (target / path.name).exists():
            sequence = PoseSequence.load(path)
            try:
                feature(sequence).save(target / path.name)
            except UserError as e:
                raise UserError(f'{path}: {e}') from e
            written += 1
    return written
