"""Poses in the formats of OpenPose, mmpose, COCO, Sports2D (TRC) and as CSV; ``importers`` reads all of them back."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..corpus import Corpus, VideoInfo
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import MARK, open_output
from ..importers.joint_sets import BODY_25, TRC_NAMES
from ..structures import FrameTimes, PoseSequence
from ..visualize.skeleton import COCO17

COCO_NAMES = COCO17.joints
#: Ankle to shoulder as a part of the height (Winter, Biomechanics and Motor Control of Human Movement).
_ANKLE_TO_SHOULDER = 0.818 - 0.039
#: The segments between ankle and shoulder by their COCO joints, of both sides.
_SEGMENTS = (((15, 13), (16, 14)), ((13, 11), (14, 12)), ((11, 5), (12, 6)))
#: A joint with at least this score counts for the height.
_CONFIDENT = 0.5
_TRC_FIELDS = 'DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames'
CSV_HEADER = ('frame', 'time_sec', *(f'{joint}_{part}' for joint in COCO_NAMES for part in ('x', 'y', 'score')))


class PoseExport(NamedTuple):
    """Poses of one video: name, size, times of its frames, poses in px; ``height`` of the athlete in metres or None."""

    video: VideoInfo
    times: FrameTimes
    poses: PoseSequence
    height: float | None = None

    def people(self) -> Iterator[tuple[int, np.ndarray | None]]:
        """Yield every frame of the video, with joints (17, 3) x, y, score, or None without a pose.

        Joints of score 0 are (0, 0, 0).
        """
        rows = dict(zip(self.poses.frame_inds.tolist(), range(len(self.poses)), strict=True))
        for frame in range(self.video.num_frames):
            row = rows.get(frame)
            if row is None:
                yield frame, None
                continue
            scores = self.poses.scores[row][:, None]
            joints = np.concatenate([self.poses.keypoints[row], scores], axis=1).astype(float)
            yield frame, np.where(scores > 0, joints, 0.0)


def export_poses(
    corpus: Corpus,
    poses: str,
    form: str,
    out: Path,
    *,
    videos: Sequence[str] = (),
    height: float | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[Path]:
    """Write the pose set ``poses`` of a corpus, one file or folder per video.

    ========  ===============================================================================================
    openpose  ``<video>_json/<video>_<frame>_keypoints.json``, version 1.3, BODY_25; neck and middle of the hips are
              means, feet are 0; a frame without a pose has no people
    mmpose    ``<video>.json``: ``{meta_info, instance_info}``, every frame, ``frame_id`` from 1
    coco      ``<video>.json``: ``{images, annotations, categories}``; scores in ``keypoint_scores``
    trc       ``<video>_px.trc`` as Sports2D's: x to the right, y down; with ``height`` ``<video>_m.trc``: metres,
              y up, from the lower left corner of the frame; a frame without a pose has empty cells
    csv       ``<video>.csv``: a row per frame with a pose
    ========  ===============================================================================================

    Args:
        form: A key of ``FORMATS``.
        videos: Names; default: all that have such poses.
        height: Height of the athlete in metres, for ``trc``.
        overwrite: Also replace files of others.
        on_progress: Called with (done, total) videos.

    Returns:
        The files, or folders of files, of the videos.

    Raises:
        UserError: no poses of this name, an unknown video, a height that is not between 0.5 and 3 m or for another
            format, or no confident joint to take it from.
    """
    if height is not None and (form != 'trc' or not 0.5 <= height <= 3):
        raise UserError(f'height {height:g}: must be 0.5 to 3 m, and is for the format trc')
    names = [video for video in corpus.videos() if corpus.pose_path(poses, video).exists()]
    if not names:
        known = ', '.join(corpus.pose_names()) or 'none'
        raise UserError(f'{corpus.poses_dir(poses)}: no poses; pose sets of {corpus.root}: {known}')
    for video in videos:
        if video not in names:
            raise UserError(f'{corpus.pose_path(poses, video)}: no such poses')
    written = []
    for done, video in enumerate(videos or names, 1):
        export = PoseExport(corpus.video(video), corpus.times(corpus.video(video)), corpus.poses(poses, video), height)
        written.append(FORMATS[form](export, out, overwrite))
        on_progress(done, len(videos or names))
    return written


def _openpose(export: PoseExport, out: Path, overwrite: bool) -> Path:
    name = export.video.video
    folder = out / f'{name}_json'
    for frame, joints in export.people():
        people = []
        if joints is not None:
            body = np.zeros((25, 3))
            body[list(BODY_25.rows)] = joints
            for row, pair in ((1, (2, 5)), (8, (9, 12))):  # neck, middle of the hips
                if (body[list(pair), 2] > 0).all():
                    body[row] = (*body[list(pair), :2].mean(axis=0), body[list(pair), 2].min())
            people = [{'person_id': [-1], 'pose_keypoints_2d': _numbers(body)}]
        path = folder / f'{name}_{frame:012d}_keypoints.json'
        _write_json(path, {'version': 1.3, 'generator': MARK, 'people': people}, overwrite)
    return folder


def _mmpose(export: PoseExport, out: Path, overwrite: bool) -> Path:
    entries = []
    for frame, joints in export.people():
        instances = []
        if joints is not None:
            points, scores = joints[:, :2].round(3).tolist(), joints[:, 2].round(5).tolist()
            box = {'bbox': [_box(joints)], 'bbox_score': float(joints[:, 2].mean().round(5))}
            instances = [{'keypoints': points, 'keypoint_scores': scores, **box}]
        entries.append({'frame_id': frame + 1, 'instances': instances})
    names = {'keypoint_id2name': dict(enumerate(COCO_NAMES)), 'skeleton_links': [list(limb) for limb in COCO17.limbs]}
    meta = {'dataset_name': 'coco', 'num_keypoints': len(COCO_NAMES), **names, 'generator': MARK}
    return _write_json(out / f'{export.video.video}.json', {'meta_info': meta, 'instance_info': entries}, overwrite)


def _coco(export: PoseExport, out: Path, overwrite: bool) -> Path:
    name, size = export.video.video, {'width': export.video.width, 'height': export.video.height}
    images, annotations = [], []
    for frame, joints in export.people():
        images.append({'id': frame, 'file_name': f'{name}_{frame:012d}.jpg', 'frame_id': frame, **size})
        if joints is None:
            continue
        scores = joints[:, 2]
        x1, y1, x2, y2 = _box(joints)
        shape = {'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': (x2 - x1) * (y2 - y1), 'iscrowd': 0}
        flags = np.where(scores > 0, 2, 0)
        points = {
            'keypoints': _numbers(np.column_stack([joints[:, :2], flags])),
            'num_keypoints': int((flags > 0).sum()),
        }
        known = {'keypoint_scores': scores.round(5).tolist(), 'score': float(scores.mean().round(5))}
        annotations.append({'id': frame + 1, 'image_id': frame, 'category_id': 1, **shape, **points, **known})
    limbs = [[a + 1, b + 1] for a, b in COCO17.limbs]
    category = {'id': 1, 'name': 'person', 'keypoints': list(COCO_NAMES), 'skeleton': limbs}
    content = {'info': {'description': MARK}, 'images': images, 'annotations': annotations, 'categories': [category]}
    return _write_json(out / f'{name}.json', content, overwrite)


def _csv(export: PoseExport, out: Path, overwrite: bool) -> Path:
    path = out / f'{export.video.video}.csv'
    with open_output(path, 'w', mark=','.join(CSV_HEADER), overwrite=overwrite) as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerow(CSV_HEADER)
        for frame, joints in export.people():
            if joints is not None:
                cells = ('' if score == 0 else f'{value:.6g}' for row in joints for score in row[2:] for value in row)
                writer.writerow((frame, f'{export.times.seconds(frame):.6f}', *cells))
    return path


def _trc(export: PoseExport, out: Path, overwrite: bool) -> Path:
    unit = 'px' if export.height is None else 'm'
    path = out / f'{export.video.video}_{unit}.trc'
    scale, origin = 1.0, 0.0
    if export.height is not None:
        scale, origin = export.height / height_px(export.poses, str(path)), export.video.height
    markers, fps, frames = len(TRC_NAMES), export.times.fps, export.video.num_frames
    with open_output(path, 'w', overwrite=overwrite) as f:
        writer = csv.writer(f, delimiter='\t', lineterminator='\n')
        writer.writerow(['PathFileType', 4, '(X/Y/Z)', f'{path.name}, {MARK}'])
        writer.writerow(_TRC_FIELDS.split())
        # Sports2D writes m for pixels as well; the name of the file decides.
        writer.writerow([f'{fps:g}', f'{fps:g}', frames, markers, 'm', f'{fps:g}', 0, frames])
        writer.writerow(['Frame#', 'Time', *(cell for name in TRC_NAMES for cell in (name, '', ''))])
        writer.writerow(['', '', *(f'{axis}{i}' for i in range(1, markers + 1) for axis in 'XYZ')])
        for frame, joints in export.people():
            cells: list[str] = []
            for x, y, score in np.zeros((markers, 3)) if joints is None else joints:
                up = y if export.height is None else origin - y
                cells += [f'{x * scale:.6g}', f'{up * scale:.6g}', '0'] if score > 0 else ['', '', '']
            writer.writerow([frame, f'{export.times.seconds(frame):.6f}', *cells])
    return path


def height_px(poses: PoseSequence, where: str) -> float:
    """Return the athlete's height in px from the segments between ankle and shoulder.

    A segment that points to the camera looks shorter, so that the 90th percentile over the confident frames counts, of
    the left and right one together.
    """
    total = 0.0
    for pairs in _SEGMENTS:
        lengths = [
            np.linalg.norm(poses.keypoints[seen, a] - poses.keypoints[seen, b], axis=1)
            for a, b in pairs
            for seen in [(poses.scores[:, [a, b]] >= _CONFIDENT).all(axis=1)]
        ]
        both = np.concatenate(lengths)
        if not len(both):
            raise UserError(
                f'{where}: no frame shows both {COCO_NAMES[pairs[0][0]]} and {COCO_NAMES[pairs[0][1]]} with score '
                f'{_CONFIDENT:g}, from which to take the height; export px'
            )
        total += float(np.percentile(both, 90))
    return total / _ANKLE_TO_SHOULDER


def _box(joints: np.ndarray) -> list[float]:
    """Return the extent x1, y1, x2, y2 of the joints (17, 3) with a score."""
    seen = joints[joints[:, 2] > 0, :2]
    if not len(seen):
        return [0.0, 0.0, 0.0, 0.0]
    return [float(v) for v in np.concatenate([seen.min(axis=0), seen.max(axis=0)]).round(3)]


def _numbers(joints: np.ndarray) -> list[float]:
    return joints.ravel().round(5).tolist()


def _write_json(path: Path, content: Any, overwrite: bool) -> Path:
    with open_output(path, 'w', overwrite=overwrite) as f:
        json.dump(content, f)
    return path


#: Name of a format to its writer.
FORMATS: dict[str, Callable[[PoseExport, Path, bool], Path]] = {
    'openpose': _openpose,
    'mmpose': _mmpose,
    'coco': _coco,
    'trc': _trc,
    'csv': _csv,
}
