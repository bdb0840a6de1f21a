"""Routes of what is drawn over the frames: boxes, poses, flow, confidence."""

from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Response

from ..errors import UserError
from ..structures import VPD_JOINTS
from ..visualize.panels import flow_to_rgb
from ..visualize.skeleton import COCO17, VPD13, Skeleton
from .workspace import Workspace


def routes(workspace: Workspace) -> APIRouter:
    """``/videos/{video}/track``, ``poses/{name}``, ``confidence`` and ``flow/{frame}``.

    Arrays have one row for each frame of ``frame_inds``; frames without data are absent.
    """
    router, corpus = APIRouter(), workspace.corpus

    @router.get('/videos/{video}/track')
    def track(video: str) -> dict[str, Any]:
        """Boxes (T, 4) xyxy px and scores (T,); no frame where the video has no track."""
        row = workspace.video(video)
        if not corpus.track_path(row.video).exists():
            return {'frame_inds': [], 'boxes': [], 'scores': []}
        boxes = corpus.track(row.video)
        return {
            'frame_inds': boxes.frame_inds.tolist(),
            'boxes': rounded(boxes.boxes, 1),
            'scores': rounded(boxes.scores, 3),
        }

    @router.get('/videos/{video}/poses/{name}')
    def poses(video: str, name: str) -> dict[str, Any]:
        """Keypoints (T, 17, 2) px and scores (T, 17) of a pose set, with the limbs of the skeleton."""
        row = workspace.video(video)
        if name not in corpus.pose_names():
            raise UserError(f'{corpus.root}: no pose set {name!r}; it has {", ".join(corpus.pose_names()) or "none"}')
        sequence = corpus.poses(name, row.video)
        return pose_json(sequence.frame_inds, sequence.keypoints, sequence.scores, COCO17)

    @router.get('/videos/{video}/student')
    def student(video: str, start: int | None = None, end: int | None = None) -> dict[str, Any]:
        """The student's keypoints (T, 13, 2) px of frames ``start`` to ``end``; see :class:`StudentPoses`."""
        from .student_poses import StudentPoses  # imports torch

        frame_inds, keypoints = StudentPoses(workspace).poses(workspace.video(video), start, end)
        return pose_json(frame_inds, keypoints, np.ones(keypoints.shape[:2]), VPD13)

    @router.get('/videos/{video}/confidence')
    def confidence(video: str) -> dict[str, Any]:
        """Mean score (T,) of the 13 joints of the teacher, and the gate above which a frame trains the student."""
        row, gate = workspace.video(video), corpus.settings().min_score
        if not (name := workspace.teacher(row)):
            return {'frame_inds': [], 'scores': [], 'gate': gate, 'poses': None}
        sequence = corpus.poses(name, row.video)
        scores = rounded(sequence.scores[:, list(VPD_JOINTS)].mean(axis=1), 3)
        return {'frame_inds': sequence.frame_inds.tolist(), 'scores': scores, 'gate': gate, 'poses': name}

    @router.get('/videos/{video}/flow/{frame}')
    def flow(video: str, frame: int) -> Response:
        """PNG of the optical flow of the crop of a frame; ``X-Window``: left, top, side of the crop, px."""
        row = workspace.video(video)
        store = workspace.crops()
        image = flow_to_rgb(store.flow(row.video, frame))
        header = store.header(row.video)
        window = header.windows[np.searchsorted(header.frame_inds, frame)].tolist()
        data = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
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


def rounded(array: np.ndarray, digits: int) -> list:
    """Nested lists of a float array with so many decimals."""
    return np.round(array.astype(np.float64), digits).tolist()
