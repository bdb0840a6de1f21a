"""Make teacher features of the poses of a corpus."""

from collections.abc import Callable

from ..corpus import Corpus
from ..corpus.provenance import file_digest, record_run, refresh_source
from ..errors import UserError, errors_name
from ..files import check_video_name, composed, list_folder, npz_path
from ..structures import FeatureSequence, PoseSequence
from ..teacher import JointFeature, fill_unseen


def joint_features(corpus: Corpus, poses: str, name: str = 'joints') -> int:
    """Make ``teacher/<name>`` of normalized 2D joints (``JointFeature``); otherwise as :func:`pose_features`."""
    feature = JointFeature()
    return pose_features(corpus, poses, name, lambda sequence: feature(fill_unseen(sequence)))


def pose_features(
    corpus: Corpus,
    poses: str,
    name: str,
    feature: Callable[[PoseSequence], FeatureSequence],
    made_by: dict | None = None,
) -> int:
    """Make ``teacher/<name>`` of pose set ``poses``; existing files are kept unless their poses have changed.

    Args:
        feature: Feature of the poses of a video, such as ``VipeFeature``.
        made_by: Identity of the run; a folder made by another run is refused.

    Returns:
        Number of files written.

    Raises:
        UserError: the pose set does not exist, the folder holds features of another pose set or run, or some poses
            are damaged; the features of all others are written first.
    """
    source, target = corpus.poses_dir(poses), corpus.teacher_dir(name)
    paths = list_folder(source, '*.npz')
    if not paths:
        known = ', '.join(corpus.pose_names()) or 'none'
        raise UserError(f'{source}: no poses; {corpus.root} has pose sets: {known}')
    if made_by is not None:
        record_run(target, made_by)
    with errors_name(source):
        inputs = {check_video_name(path.stem): file_digest(path) for path in paths}
    existing = [video for video in inputs if npz_path(target, video).exists()]
    kept = refresh_source(target, {'poses': poses}, existing, 'pass another --out', inputs)
    missing = [path for path in paths if composed(path.stem) not in kept]
    failures = []
    for path in missing:
        try:
            with errors_name(path):
                feature(PoseSequence.load(path)).save(npz_path(target, path.stem))
        except UserError as e:
            failures.append(str(e))
    if failures:
        raise UserError(f'{target}: {len(failures)} of {len(missing)} videos failed: {"; ".join(failures)}')
    return len(missing)
