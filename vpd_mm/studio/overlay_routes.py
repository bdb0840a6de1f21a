"""Routes of what is drawn over the frames: boxes, poses, flow, confidence."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Response

from ..corpus import VideoInfo
from ..errors import UserError
from ..structures import VPD_JOINTS
from ..visualize.panels import encode_image, flow_to_rgb
from ..visualize.skeleton import COCO17, VPD13, Skeleton
from .workspace import Workspace, rows_in_span


def routes(workspace: Workspace) -> APIRouter:
    """``/videos/{video}/track``, ``poses/{name}``, ``confidence`` and ``flow/{frame}``.

    Arrays have one row for each frame of ``frame_inds``; frames without data are absent.  Pages ask for a few hundred
    frames at a time: the poses of an hour are 39 MB.
    """
    router, corpus = APIRouter(), workspace.corpus

    @router.get('/videos/{video}/track')
    def track(video: str, start: int | None = None, end: int | None = None) -> dict[str, Any]:
        """Boxes (T, 4) xyxy px and scores (T,) of frames ``start`` to ``end``; none where the video has no track."""
        row = workspace.video(video)
        if not corpus.track_path(row.video).exists():
            return {'frame_inds': [], 'boxes': [], 'scores': []}
        boxes = corpus.track(row.video)
        rows = rows_in_span(row, boxes.frame_inds, start, end)
        return {
            'frame_inds': boxes.frame_inds[rows].tolist(),
            'boxes': rounded(boxes.boxes[rows], 1),
            'scores': rounded(boxes.scores[rows], 3),
        }

    @router.get('/videos/{video}/poses/{name}')
    def poses(video: str, name: str, start: int | None = None, end: int | None = None) -> dict[str, Any]:
        """Keypoints (T, 17, 2) px and scores (T, 17) of frames ``start`` to ``end``, with the limbs of the skeleton."""
        row = workspace.video(video)
        if name not in corpus.pose_names():
            raise UserError(f'{corpus.root}: no pose set {name!r}; it has {", ".join(corpus.pose_names()) or "none"}')
        sequence = corpus.poses(name, row.video)
        rows = rows_in_span(row, sequence.frame_inds, start, end)
        return pose_json(sequence.frame_inds[rows], sequence.keypoints[rows], sequence.scores[rows], COCO17)

    @router.get('/videos/{video}/student')
    def student(video: str, start: int | None = None, end: int | None = None) -> dict[str, Any]:
        """The student's keypoints (T, 13, 2) px of frames ``start`` to ``end``; see :class:`StudentPoses`."""
        from .student_poses import StudentPoses  # imports torch

        frame_inds, keypoints = StudentPoses(workspace).poses(workspace.video(video), start, end)
        return pose_json(frame_inds, keypoints, np.ones(keypoints.shape[:2]), VPD13)

    @router.get('/videos/{video}/confidence')
    def confidence(video: str) -> dict[str, Any]:
        """The teacher's confidence in each frame (:func:`by_frame`), and the gate above which it trains the student."""
        row, gate = workspace.video(video), corpus.settings().min_score
        if not (name := workspace.teacher(row)):
            return {'scores': [], 'gate': gate, 'poses': None}
        sequence = corpus.poses(name, row.video)
        scores = by_frame(row, sequence.frame_inds, sequence.scores[:, list(VPD_JOINTS)].mean(axis=1))
        return {'scores': scores, 'gate': gate, 'poses': name}

    @router.get('/videos/{video}/flow/{frame}')
    def flow(video: str, frame: int) -> Response:
        """PNG of the optical flow of the crop of a frame; ``X-Window``: left, top, side of the crop, px."""
        row = workspace.video(video)
        store = workspace.crops()
        data = encode_image(flow_to_rgb(store.flow(row.video, frame)), '.png')
        header = store.header(row.video)
        window = header.windows[np.searchsorted(header.frame_inds, frame)].tolist()
        headers = {'X-Frame': str(frame), 'X-Window': ','.join(map(str, window)), 'Cache-Control': 'private, no-cache'}
        return Response(data, media_type='image/png', headers=headers)

    return router


def pose_json(frame_inds: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, skeleton: Skeleton) -> dict[str, Any]:
    """Poses (T, K, 2) px and (T, K) as JSON, with the joints and limbs of their skeleton."""
    return {
        'frame_inds': frame_inds.tolist(),
        'keypoints': rounded(keypoints, 1),
        'scores': rounded(scores, 3),
        'limbs': skeleton.limbs,
        'skeleton': skeleton.joints,
    }


def by_frame(row: VideoInfo, frame_inds: np.ndarray, values: np.ndarray) -> list[float | None]:
    """Values (T,) as one number for every frame of the video, None for those without: 0.6 MB for an hour as JSON."""
    every, rows = np.full(row.num_frames, None), rows_in_span(row, frame_inds, None, None)
    every[frame_inds[rows]] = np.round(values[rows].astype(np.float64), 3)
    return every.tolist()


def rounded(array: np.ndarray, digits: int) -> list:
    """Nested lists of a float array with so many decimals."""
    return np.round(array.astype(np.float64), digits).tolist()
