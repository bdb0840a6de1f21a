"""Ground truth in the image: the camera of a video, fitted to joints that are known in space and seen by a teacher."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import least_squares, minimize_scalar

from ..structures import VPD_JOINTS, PoseSequence
from ..teacher import normalize_joints, torso_sizes

#: Whole delays of the motion capture that are tried, frames; the best one is refined by up to one frame.
DELAYS = (-1, 0, 1, 2, 3)
#: Joints of the teacher with a lower score are not fitted to.
MIN_SCORE = 0.5
#: Random sets of joints that start the robust fit, and joints in each (a projection matrix needs six).
NUM_STARTS, START_JOINTS = 100, 8
#: Deviation, relative to the torso, from which a joint counts less and less (Cauchy loss).
LOSS_SCALE = 0.1
#: Blocks of neighbouring frames that are left out in turn, to measure the error of the fit itself.
NUM_BLOCKS = 5
#: A video is left out with fewer joints to fit to (five for each of the 12 numbers of a matrix), a larger median
#: residual, or a larger error of the fit, both relative to the torso.
MIN_JOINTS, MAX_RESIDUAL, MAX_ERROR = 60, 0.25, 0.1


@dataclass(frozen=True)
class CameraFit:
    """Camera of one video, and how well it is known: a row of ``ground_truth/cameras.csv``.

    Args:
        video: Its name.
        delay: The first 3D frame is this frame of the video.
        joints: Joints of the teacher that were fitted to.
        residual_px: Their median distance to the projected joints, which contains the error of the teacher.
        torso_px: Median size of the torso: the largest distance among shoulders and hips.
        error: Error of the fit itself, in torsos: mean distance of the joints, normalized as in the evaluation, of a
            block of frames that was left out of the fit to those of the fit to all frames.
        problem: Why the video is left out; '' where it is used.
    """

    video: str
    delay: float
    joints: int
    residual_px: float
    torso_px: float
    error: float
    problem: str


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Project points (..., 3) with a matrix (3, 4), or as many as there are sets of points, to pixels (..., 2).

    Examples:
        >>> project(np.eye(3, 4), np.array([[2.0, 4.0, 2.0]]))
        array([[1., 2.]])
    """
    image = points @ matrix[..., :3].swapaxes(-1, -2) + matrix[..., None, :, 3]
    return image[..., :2] / image[..., 2:]


def fit_camera(
    video: str, joints: np.ndarray, poses: PoseSequence, num_frames: int
) -> tuple[PoseSequence | None, CameraFit]:
    """Fit a projection matrix and the delay of the motion capture, and project the joints into the video.

    The direct linear transform of small random sets of joints (RANSAC) starts a least-squares fit with Cauchy loss.

    Args:
        joints: (S, 12, 3) in space, the joints 5..16 of COCO-17, at the rate of the video.
        poses: The teacher's, of which joints with a score of at least ``MIN_SCORE`` are used.
        num_frames: Frames of the video.

    Returns:
        Ground truth of the frames that the motion capture covers, with score 1 for these joints and 0 for nose, eyes
        and ears; None where the video is left out.  The fit.
    """
    pairs = _Pairs(joints, poses)
    if pairs.seen.sum() < MIN_JOINTS or not pairs.torso > 0:
        problem = f'{pairs.seen.sum()} joints with a score of {MIN_SCORE:g} or more, needs {MIN_JOINTS}'
        return None, CameraFit(video, 0.0, int(pairs.seen.sum()), 0.0, 0.0, 0.0, problem)
    fits = {delay: pairs.fit(delay, pairs.start(delay)) for delay in DELAYS}
    whole = min(fits, key=lambda delay: pairs.cost(delay, fits[delay]))
    delay = float(
        minimize_scalar(
            lambda delay: pairs.cost(delay, pairs.fit(delay, fits[whole])),
            bounds=(whole - 1, whole + 1),
            method='bounded',
            options={'xatol': 0.02},
        ).x
    )
    matrix = pairs.fit(delay, fits[whole])
    frames = np.arange(num_frames)
    frames = frames[(frames >= delay) & (frames - delay <= len(joints) - 1)]
    keypoints = np.zeros((len(frames), 17, 2))
    keypoints[:, 5:] = pairs.image(delay, matrix, frames)
    scores = np.zeros((len(frames), 17), np.float32)
    scores[:, 5:] = 1
    torso = float(np.median(torso_sizes(keypoints[:, VPD_JOINTS])))
    residual, error = pairs.residual(delay, matrix), _error(pairs, delay, matrix, frames, keypoints)
    problem = ''
    if residual > MAX_RESIDUAL * torso:
        problem = f'median residual {residual / torso:.2f} torsos, at most {MAX_RESIDUAL:g}'
    elif not error <= MAX_ERROR:
        problem = f'error of the fit {error:.2f} torsos, at most {MAX_ERROR:g}'
    numbers = round(delay, 2), pairs.count(delay), round(residual, 2), round(torso, 1), round(error, 4)
    poses = PoseSequence(frames, keypoints.astype(np.float32), scores)
    return None if problem else poses, CameraFit(video, *numbers, problem)


def _error(pairs: '_Pairs', delay: float, matrix: np.ndarray, frames: np.ndarray, keypoints: np.ndarray) -> float:
    """Mean distance, in torsos, of the joints of frames that were left out of a fit to ``keypoints``."""
    errors = []
    for block in np.array_split(frames, NUM_BLOCKS):
        other = keypoints[np.isin(frames, block)]
        without = other.copy()
        without[:, 5:] = pairs.image(delay, pairs.fit(delay, matrix, leave_out=block), block)
        errors.append(joint_distances(without, other))
    return float(np.concatenate(errors).mean())


def joint_distances(keypoints: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distances (T, 12) of the joints 5..16 of COCO-17 (T, 17, 2) after normalization, in torsos."""
    return 2 * np.linalg.norm(_normalized(keypoints) - _normalized(others), axis=-1)


def _normalized(keypoints: np.ndarray) -> np.ndarray:
    return normalize_joints(keypoints[:, VPD_JOINTS])[:, 1:]


class _Pairs:
    """Joints of one video in space and in the image, as a teacher sees them; arguments as :func:`fit_camera`."""

    def __init__(self, joints: np.ndarray, poses: PoseSequence) -> None:
        self.frames, self.pixels = poses.frame_inds, poses.keypoints[:, 5:].astype(np.float64)
        self.seen, self.capture = poses.scores[:, 5:] >= MIN_SCORE, CubicSpline(np.arange(len(joints)), joints)
        self.torso = float(np.median(torso_sizes(poses.keypoints[:, VPD_JOINTS]))) if len(poses) else 0.0

    def at(self, delay: float, leave_out: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Joints in space (N, 3) and in the image (N, 2)."""
        times = self.frames - delay
        used = self.seen & ((times >= 0) & (times <= self.capture.x[-1]))[:, None]
        if leave_out is not None:
            used &= ~np.isin(self.frames, leave_out)[:, None]
        return self.capture(times)[used], self.pixels[used]

    def count(self, delay: float) -> int:
        return len(self.at(delay)[0])

    def image(self, delay: float, matrix: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Project the joints of frames: (T, 12, 2) px."""
        return project(matrix, self.capture(frames - delay))

    def residual(self, delay: float, matrix: np.ndarray) -> float:
        points, pixels = self.at(delay)
        return float(np.median(np.linalg.norm(project(matrix, points) - pixels, axis=-1)))

    def cost(self, delay: float, matrix: np.ndarray) -> float:
        """Mean Cauchy loss of the joints."""
        points, pixels = self.at(delay)
        deviations = np.linalg.norm(project(matrix, points) - pixels, axis=-1)
        return float(np.log1p((deviations / (LOSS_SCALE * self.torso)) ** 2).mean())

    def start(self, delay: float) -> np.ndarray:
        """The direct linear transform of the random set of joints with the smallest median residual over all."""
        points, pixels = self.at(delay)
        to_space, to_image = _scaling(points), _scaling(pixels)
        space, image = (_moved(to, at) for to, at in ((to_space, points), (to_image, pixels)))
        rng = np.random.default_rng(0)
        rows = np.stack([rng.choice(len(points), START_JOINTS, replace=False) for _ in range(NUM_STARTS)])
        starts = _direct(space[rows], image[rows])
        starts = np.concatenate([starts, _direct(space[None], image[None])])
        with np.errstate(divide='ignore', invalid='ignore'):
            medians = np.median(np.linalg.norm(project(starts, space) - image, axis=-1), axis=-1)
        return np.linalg.inv(to_image) @ starts[np.nanargmin(medians)] @ to_space

    def fit(self, delay: float, start: np.ndarray, leave_out: np.ndarray | None = None) -> np.ndarray:
        """Minimize the Cauchy loss from a matrix (3, 4) on."""
        points, pixels = self.at(delay, leave_out)
        to_space, to_image = _scaling(points), _scaling(pixels)
        space, image = _moved(to_space, points), _moved(to_image, pixels)
        first = to_image @ start @ np.linalg.inv(to_space)

        known = np.column_stack([space, np.ones(len(space))])

        def deviations(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Distances (N,), and their derivatives (N, 12) by the numbers of the matrix."""
            projected = project(numbers.reshape(3, 4), space)
            distances = np.linalg.norm(projected - image, axis=-1)
            direction = (projected - image) / np.maximum(distances, 1e-12)[:, None]
            by_row = known / (known @ numbers[8:])[:, None]
            factors = np.column_stack([direction, -(direction * projected).sum(axis=-1)])
            return distances, (factors[..., None] * by_row[:, None]).reshape(-1, 12)

        scale = LOSS_SCALE * self.torso * to_image[0, 0]
        numbers = least_squares(
            lambda numbers: deviations(numbers)[0],
            first.ravel() / np.linalg.norm(first),
            jac=lambda numbers: deviations(numbers)[1],
            loss='cauchy',
            f_scale=scale,
        ).x
        return np.linalg.inv(to_image) @ numbers.reshape(3, 4) @ to_space


def _scaling(points: np.ndarray) -> np.ndarray:
    """Matrix that moves points (N, D) to the origin with variance 1, which keeps the equations well conditioned."""
    dims = points.shape[1]
    matrix = np.eye(dims + 1) / np.append(np.full(dims, points.std()), 1)
    matrix[:dims, dims] = -points.mean(axis=0) / points.std()
    return matrix


def _moved(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:-1, :-1].T + matrix[:-1, -1]


def _direct(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the matrices (S, 3, 4) with the smallest algebraic error for sets of points (S, N, 3), (S, N, 2)."""
    known = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    zeros = np.zeros_like(known)
    x, y = pixels[..., :1] * known, pixels[..., 1:] * known
    rows = [np.concatenate(row, axis=-1) for row in ((known, zeros, -x), (zeros, known, -y))]
    equations = np.concatenate(rows, axis=-2)
    return np.linalg.eigh(equations.swapaxes(-1, -2) @ equations)[1][..., 0].reshape(-1, 3, 4)
