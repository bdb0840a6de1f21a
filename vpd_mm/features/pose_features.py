"""Make teacher features of the poses of a corpus."""

from collections.abc import Callable

from ..corpus import Corpus
from ..corpus.stale_files import CorpusInputs, Source, refresh_features
from ..errors import UserError, counted, errors_name
from ..files import check_video_name, list_folder, npz_path
from ..structures import FeatureSequence, PoseSequence
from ..teacher import JointFeature, fill_unseen


def joint_features(corpus: Corpus, poses: str, name: str = 'joints', overwrite: bool = False) -> int:
    """Make ``teacher/<name>`` of normalized 2D joints (``JointFeature``); otherwise as :func:`pose_features`."""
    feature = JointFeature()
    return pose_features(corpus, poses, name, lambda sequence: feature(fill_unseen(sequence)), overwrite=overwrite)


def pose_features(
    corpus: Corpus,
    poses: str,
    name: str,
    feature: Callable[[PoseSequence], FeatureSequence],
    made_by: Source | None = None,
    overwrite: bool = False,
) -> int:
    """Make ``teacher/<name>`` of pose set ``poses``; files are kept unless their poses or the model have changed.

    Args:
        feature: Feature of the poses of a video, such as ``VipeFeature``.
        made_by: Source of the run, see :func:`vpd_mm.features.feature_extractor.run_source`; None: no model.
        overwrite: Make the files of another pose set or run again.

    Returns:
        Number of files written.

    Raises:
        UserError: the pose set does not exist, the folder holds features of another pose set or run, without
            ``overwrite``, or some poses are damaged or of a former track; the features of all others are written first.
    """
    source, target = corpus.poses_dir(poses), corpus.teacher_dir(name)
    paths = list_folder(source, '*.npz')
    if not paths:
        known = ', '.join(corpus.pose_names()) or 'none'
        raise UserError(f'{source}: no poses; {corpus.root} has pose sets: {known}')
    with errors_name(source):
        of_corpus, failures = CorpusInputs(corpus), []
        names = {check_video_name(path.stem): of_corpus.name(path) for path in paths}
        inputs = {video: of_corpus.of(name) for video, name in names.items()}
    missing = refresh_features(target, {**(made_by or {'inputs': {}}), 'poses': poses}, inputs, overwrite)
    for video, made_of in missing.items():
        try:
            of_corpus.check(names[video])
            with errors_name(path := npz_path(source, video)):
                feature(PoseSequence.load(path)).save(npz_path(target, video), made_of)
        except UserError as e:
            failures.append(str(e))
    if failures:
        raise UserError(f'{target}: {len(failures)} of {counted(len(missing), "video")} failed: {"; ".join(failures)}')
    return len(missing)
