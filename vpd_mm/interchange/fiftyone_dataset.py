"""A FiftyOne data set: videos with their actions as temporal detections, boxes and poses of frames, embeddings."""

from collections.abc import Sequence

import numpy as np

from ..corpus import Corpus
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..structures import FeatureSequence
from ..visualize.skeleton import COCO17
from .entries import LabelledVideo


def export_fiftyone(
    corpus: Corpus,
    videos: Sequence[LabelledVideo],
    name: str,
    *,
    features: str = '',
    overwrite: bool = False,
    on_progress: OnProgress = no_progress,
) -> int:
    """Make a persistent FiftyOne data set; needs the package ``fiftyone``.

    A sample is one athlete of one video file.  Its ``actions`` are TemporalDetections (FiftyOne counts frames from 1,
    both ends included), with ``action_id`` and ``embedding`` of each: the mean of the features over its frames.  Its
    frames have ``athlete`` (Detections) and ``pose`` (Keypoints, with the confidence of each joint).  Splits are tags.

    Args:
        corpus: The corpus.
        videos: Videos with labels, boxes and poses.
        name: Name of the data set.
        features: Name of the features of the embeddings; '' for none.
        overwrite: Replace a data set of this name.
        on_progress: Called with (done, total) videos.

    Returns:
        Number of samples.

    Raises:
        UserError: fiftyone is not installed, there is such a data set, or a video file is missing.
    """
    try:
        import fiftyone as fo
    except ImportError as e:
        raise UserError('the package fiftyone is not installed; run: pip install fiftyone') from e
    if name in fo.list_datasets():
        if not overwrite:
            raise UserError(f'there is a FiftyOne data set {name!r}; choose another name or pass --overwrite')
        fo.delete_dataset(name)
    dataset = fo.Dataset(name, persistent=True)
    edges = [[a, b] for a, b in COCO17.limbs]
    dataset.default_skeleton = fo.KeypointSkeleton(labels=list(COCO17.joints), edges=edges)
    for done, video in enumerate(videos, 1):
        sample = fo.Sample(filepath=str(video.info.existing_path()), tags=sorted({x.split for x in video.labels}))
        sample['video'], sample['athlete'] = video.info.video, video.athlete
        path = corpus.features_dir(features) / f'{video.info.video}.npz' if features else None
        sequence = FeatureSequence.load(path) if path is not None and path.exists() else None
        actions = []
        for label in video.labels:
            action = fo.TemporalDetection(label=label.label, support=[label.start_frame + 1, label.end_frame])
            action['action_id'] = label.action_id
            if (embedding := mean_feature(sequence, label.start_frame, label.end_frame)) is not None:
                action['embedding'] = embedding
            actions.append(action)
        sample['actions'] = fo.TemporalDetections(detections=actions)
        size = np.array([video.info.width, video.info.height], float)
        if video.track is not None:
            for frame, box in zip(video.track.frame_inds.tolist(), video.track.boxes.astype(float)):
                corner = box[:2] / size
                shape = [*corner, *(box[2:] / size - corner)]
                detections = [fo.Detection(label='athlete', bounding_box=shape)]
                sample.frames[frame + 1]['athlete'] = fo.Detections(detections=detections)
        if video.poses is not None:
            rows = zip(video.poses.frame_inds.tolist(), video.poses.keypoints.astype(float), video.poses.scores)
            for frame, keypoints, scores in rows:
                points = np.where(scores[:, None] > 0, keypoints / size, np.nan).tolist()
                keypoint = fo.Keypoint(label='athlete', points=points, confidence=scores.tolist())
                sample.frames[frame + 1]['pose'] = fo.Keypoints(keypoints=[keypoint])
        dataset.add_sample(sample)
        on_progress(done, len(videos))
    return len(videos)


def mean_feature(sequence: FeatureSequence | None, start: int, end: int) -> np.ndarray | None:
    """Mean (D,) of the features of the original view over frames from ``start`` up to ``end``; None without any."""
    if sequence is None:
        return None
    inside = (sequence.frame_inds >= start) & (sequence.frame_inds < end)
    return sequence.feats[inside, 0].mean(axis=0) if inside.any() else None
