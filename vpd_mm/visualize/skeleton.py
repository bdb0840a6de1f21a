"""Skeleton tables and the one function that draws them.

Colours of every image of this project: the athlete's left side is blue, the right side is orange, what lies in the
middle (nose, neck, shoulder line, hip line) is light grey.  The pair stays apart for colour-blind readers.
"""

from dataclasses import dataclass

import cv2
import numpy as np

#: RGB colours of the athlete's left side, right side and middle.
LEFT, RIGHT, MIDDLE = (60, 150, 255), (255, 140, 30), (235, 235, 235)
#: The legend of skeletons, for :func:`vpd_mm.visualize.panels.legend`.
SIDES = {"athlete's left": LEFT, "athlete's right": RIGHT}
#: RGB background of panels that show a skeleton alone.
BACKGROUND = (30, 30, 30)
#: RGB outline that separates limbs from a bright image.
OUTLINE = (20, 20, 20)
#: Opacity of a pose that is not used, such as a teacher's of low confidence.
FAINT = 0.5
#: The larger side of placed joints, relative to that of the box, which also holds hair, hands and feet.
_FILL = 0.85
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Skeleton:
    """Names of joints, ``left_`` and ``right_`` in front of pairs, and pairs of joint indices that a line connects."""

    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]

    def colour(self, *joints: int) -> tuple[int, int, int]:
        """RGB colour of a joint or a limb: that of the side on which all of the joints lie, else that of the middle."""
        sides = {self.joints[k].partition('_')[0] for k in joints}
        return {'left': LEFT, 'right': RIGHT}.get(sides.pop(), MIDDLE) if len(sides) == 1 else MIDDLE


#: COCO, names and limbs as in mmpose's ``configs/_base_/datasets/coco.py``.
COCO17 = Skeleton(
    joints=(
        *('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder'),
        *('left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip'),
        *('left_knee', 'right_knee', 'left_ankle', 'right_ankle'),
    ),
    limbs=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10)),
        *((1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    ),
)

#: The 13 joints of VPD: COCO's nose and joints 5 to 16.
VPD13 = Skeleton(
    joints=(COCO17.joints[0], *COCO17.joints[5:]),
    limbs=(
        *((0, 1), (0, 2), (1, 2), (1, 3), (3, 5), (2, 4), (4, 6)),
        *((1, 7), (2, 8), (7, 8), (7, 9), (9, 11), (8, 10), (10, 12)),
    ),
)


def draw_skeleton(
    image: np.ndarray,
    keypoints: np.ndarray,
    skeleton: Skeleton = VPD13,
    scores: np.ndarray | None = None,
    threshold: float = 0.3,
    thickness: int | None = None,
    rings: bool = False,
    opacity: float = 1.0,
) -> np.ndarray:
    """Draw a pose into an image, in place.

    Args:
        image: (H, W, 3) uint8 RGB, C-contiguous; it is also returned.
        keypoints: (K, 2) px.  A joint with a coordinate that is not finite is skipped, with its limbs.
        skeleton: Table of the K joints.
        scores: (K,) confidence of each joint; None = all joints are confident.
        threshold: A joint with a lower score is skipped, with its limbs.
        thickness: Of a limb, px; None = by the size of the image.
        rings: Draw joints below the threshold as rings and their limbs as thin lines, instead of skipping them.
        opacity: Of the whole pose, 0 to 1; :data:`FAINT` for a pose that is not used.

    Raises:
        ValueError: the number of keypoints or scores is not that of the skeleton.

    Example:
        >>> draw_skeleton(frame, pose.keypoints[t], COCO17, pose.scores[t])
    """
    keypoints = np.asarray(keypoints, np.float64)
    if keypoints.shape != (len(skeleton.joints), 2) or (scores is not None and len(scores) != len(keypoints)):
        shapes = keypoints.shape, None if scores is None else np.shape(scores)
        raise ValueError(f'keypoints and scores: expected {len(skeleton.joints)} joints, found shapes {shapes}')
    thickness = thickness or max(1, round(max(image.shape[:2]) ** 0.5 / 8))
    finite = np.isfinite(keypoints).all(axis=1)
    confident = finite if scores is None else finite & (np.asarray(scores) >= threshold)
    drawn = finite if rings else confident
    scaled = np.where(finite[:, None], keypoints, 0) * 2**_SUBPIXEL_BITS
    points = np.clip(scaled, -1e6, 1e6).round().astype(int).tolist()
    limbs = [limb for limb in skeleton.limbs if drawn[[*limb]].all()]
    widths = [thickness if confident[[*limb]].all() else 1 for limb in limbs]
    lines = [(*limb, OUTLINE, width + 2) for limb, width in zip(limbs, widths) if width > 1]
    lines += [(*limb, skeleton.colour(*limb), width) for limb, width in zip(limbs, widths)]
    drawn_on = image if opacity == 1 else image.copy()
    for a, b, colour, width in lines:
        cv2.line(drawn_on, points[a], points[b], colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)
    for k in np.flatnonzero(drawn).tolist():
        radius, fill = (thickness + 0.5, -1) if confident[k] else (thickness + 2, 1)
        radius = round(radius * 2**_SUBPIXEL_BITS)
        cv2.circle(drawn_on, points[k], radius, skeleton.colour(k), fill, cv2.LINE_AA, _SUBPIXEL_BITS)
    return image if opacity == 1 else cv2.addWeighted(drawn_on, opacity, image, 1 - opacity, 0, image)


def place_normalized(joints: np.ndarray, centre: tuple[float, float], scale: float) -> np.ndarray:
    """Normalised joints, (13, 2) or (26,), to (13, 2) px; ``centre`` (x, y) px is the hip midpoint."""
    return np.asarray(joints, np.float64).reshape(-1, 2) * scale + centre


def place_joints(joints: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Convert normalised joints (13, 2) to px of the frame: centred on the box (xyxy), 85 % of its larger side.

    A student gives the shape of a pose, not its position and size.
    """
    low, high = joints.min(axis=0), joints.max(axis=0)
    scale = _FILL * float((box[2:] - box[:2]).max()) / max(float((high - low).max()), 1e-6)
    return place_normalized(joints - (low + high) / 2, tuple((box[:2] + box[2:]) / 2), scale)


def draw_pose_panel(joints: np.ndarray, size: int = 160, opacity: float = 1.0) -> np.ndarray:
    """Draw normalised joints, (13, 2) or (26,), on a dark square (size, size, 3) uint8 RGB, hips in its centre."""
    panel = np.full((size, size, 3), BACKGROUND, np.uint8)
    return draw_skeleton(panel, place_normalized(joints, (size / 2, size / 2), 0.4 * size), opacity=opacity)
