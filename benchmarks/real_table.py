"""Poses of several methods against ground truth: a table of errors by kind of frame."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from vpd_mm.teacher.joint_feature import FLIP_ORDER

#: Bands of the teacher's confidence; the last one includes 1.
BANDS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0))
#: The teacher is wrong from this error on; a joint is correct up to this one; torsos.
WRONG, PCK = 0.5, 0.2
#: Left and right are swapped where exchanging them, in the arms, the legs or both, lowers the error by more, torsos.
SWAP_GAIN = 0.1
#: Share of the frames that are fast.
FAST_SHARE = 0.1
#: Rows of the 12 joints: shoulders, elbows and wrists; hips, knees and ankles; and the joint on the other side.
_ARMS, _LEGS = slice(0, 6), slice(6, 12)
_OTHER_SIDE = np.array(FLIP_ORDER[1:]) - 1

METRICS = ('error', 'pck', 'acceleration')


def frame_errors(poses: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """Return the mean joint error (T,) of poses (T, 12, 2); NaN without a pose or ground truth."""
    return np.linalg.norm(poses - ground_truth, axis=-1).mean(axis=-1)


def accelerations(poses: np.ndarray) -> np.ndarray:
    """Return the second difference (T, 12, 2) of the poses around each frame; NaN where one of the three is missing."""
    result = np.full_like(poses, np.nan)
    result[1:-1] = poses[2:] - 2 * poses[1:-1] + poses[:-2]
    return result


def speeds(poses: np.ndarray) -> np.ndarray:
    """Return the mean distance (T,) that the joints cover from the frame before; NaN where it is missing."""
    result = np.full(len(poses), np.nan)
    result[1:] = frame_errors(poses[1:], poses[:-1])
    return result


def is_swapped(poses: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """Return (T,) bool: exchanging left and right in the arms, the legs or both makes a pose better."""
    errors = []
    for parts in ((_ARMS,), (_LEGS,), (_ARMS, _LEGS)):
        swapped = poses.copy()
        for part in parts:
            swapped[:, part] = poses[:, _OTHER_SIDE[part]]
        errors.append(frame_errors(swapped, ground_truth))
    return frame_errors(poses, ground_truth) - np.min(errors, axis=0) > SWAP_GAIN


def frame_groups(
    teacher: Sequence[np.ndarray], scores: Sequence[np.ndarray], ground_truth: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the frames (N,) bool of all videos, one after the other, of each row of the table.

    Args:
        teacher, ground_truth: (T, 12, 2) of each video, NaN where there is none.
        scores: (T,) the teacher's confidence in a frame.
    """
    known = np.concatenate([np.isfinite(truth).all(axis=(1, 2)) for truth in ground_truth])
    present = known & np.concatenate([np.isfinite(poses).all(axis=(1, 2)) for poses in teacher])
    confidence, speed = np.concatenate(scores), np.concatenate([speeds(truth) for truth in ground_truth])
    pairs = list(zip(teacher, ground_truth, strict=True))
    errors = np.concatenate([frame_errors(*pair) for pair in pairs])
    groups = {'all frames': known, 'teacher has a pose': present}
    for low, high in BANDS:
        inside = (confidence >= low) & ((confidence < high) | (high == BANDS[-1][1]))
        groups[f'its confidence {low:g} to {high:g}'] = present & inside
    moving = speed[known & np.isfinite(speed)]
    limit = np.quantile(moving, 1 - FAST_SHARE) if len(moving) else np.inf
    return groups | {
        f'teacher wrong by more than {WRONG:g}': present & (errors > WRONG),
        'teacher swaps left and right': present & np.concatenate([is_swapped(*pair) for pair in pairs]),
        'teacher has no pose': known & ~present,
        f'fastest {FAST_SHARE:.0%}': known & (speed >= limit),
    }


def evaluate(
    poses: Sequence[np.ndarray], ground_truth: Sequence[np.ndarray], groups: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Measure the poses of one method.

    Args:
        poses: (T, 12, 2) of each video: the joints 5..16 of COCO-17, relative to the middle of the hips, in torsos
            (largest distance among shoulders and hips); NaN where the method has no pose.
        ground_truth: The same, known in all frames of the groups.
        groups: Name to frames (N,) bool of all videos, one after the other.

    Returns:
        A row per group: ``frames`` (number); ``error``, mean distance of the joints, torsos, NaN where the method lacks
        a pose in a frame; ``pck``, share of the joints within 0.2 torsos, where a missing pose is wrong;
        ``acceleration``, mean error of the second difference of the joints, torsos per frame squared, over the frames
        where the method has it.
    """
    pairs = list(zip(poses, ground_truth, strict=True))
    distances = np.concatenate([np.linalg.norm(own - truth, axis=-1) for own, truth in pairs])
    changes = np.concatenate([frame_errors(accelerations(own), accelerations(truth)) for own, truth in pairs])
    rows = {}
    for name, frames in groups.items():
        with_change = frames & np.isfinite(changes)
        rows[name] = {
            'frames': int(frames.sum()),
            'error': float(distances[frames].mean()) if frames.any() else np.nan,
            'pck': float((distances[frames] <= PCK).mean()) if frames.any() else np.nan,
            'acceleration': float(changes[with_change].mean()) if with_change.any() else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient='index')


def table(results: Mapping[str, Sequence[pd.DataFrame]]) -> pd.DataFrame:
    """Join the results of :func:`evaluate`: method to one result for each training seed.

    Returns:
        Columns frames, group, method, metric, mean, sd (NaN for one seed), seeds.
    """
    rows = []
    for method, runs in results.items():
        for group in runs[0].index:
            for metric in METRICS:
                values = np.array([run.loc[group, metric] for run in runs], dtype=float)
                sd = values.std(ddof=1) if len(values) > 1 else np.nan
                rows.append((group, runs[0].loc[group, 'frames'], method, metric, values.mean(), sd, len(values)))
    return pd.DataFrame(rows, columns=['group', 'frames', 'method', 'metric', 'mean', 'sd', 'seeds'])


def to_markdown(result: pd.DataFrame, metric: str) -> str:
    """Write one metric of a :func:`table`: a row per group, a column per method, mean and deviation over the seeds."""
    part = result[result.metric == metric]
    methods = list(dict.fromkeys(part.method))
    lines = ['| ' + ' | '.join(['frames', 'n', *methods]) + ' |', '|---' * (2 + len(methods)) + '|']
    for group, rows in part.groupby('group', sort=False):
        cells = [cell(rows[rows.method == method].iloc[0]) for method in methods]
        lines.append('| ' + ' | '.join([str(group), f'{rows.frames.iloc[0]:,}', *cells]) + ' |')
    return '\n'.join(lines)


def cell(row: pd.Series) -> str:
    """Write mean and deviation of a row of the :func:`table`."""
    if np.isnan(row['mean']):
        return '-'
    return f'{row["mean"]:.3f}' + ('' if np.isnan(row['sd']) else f' ± {row["sd"]:.3f}')
