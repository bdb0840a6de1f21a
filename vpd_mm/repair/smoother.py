"""Kalman filter and Rauch-Tung-Striebel smoother of points that move at a nearly constant velocity."""

import numpy as np

from ..compat.numba_kernels import compiled

#: Variance of position and of velocity at the start of a shot: unknown.
UNKNOWN = (1e2, 1.0)


@compiled()
def smooth(
    positions: np.ndarray,
    variances: np.ndarray,
    velocities: np.ndarray,
    velocity_variances: np.ndarray,
    steps: np.ndarray,
    accelerations: np.ndarray,
    start: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the positions of J points in T frames from M measurements of each; their C coordinates share variances.

    The velocity of a point is a random walk.  At the start of a shot both are 0 with the variances ``start``.

    Args:
        positions: (T, M, J, C) measurements, finite.
        variances: (T, M, J) of the measurements; infinite where there is none.
        velocities: (T, J, C) measurements of the velocity, per frame.
        velocity_variances: (T, J); infinite where there is none.
        steps: (T,) frames since the row before; infinite at the start of a shot.
        accelerations: (T, J) variance that the velocity changes in a frame, since the row before.
        start: Variances of position and velocity.

    Returns:
        Positions (T, J, C), their variances (T, J), and (T, J, C) the expected square of the change from what the
        row before predicts, in units of its variance; 1 at the start of a shot.
    """
    num_frames, num_measurements, num_points, dims = positions.shape
    means, result = np.zeros((num_frames, num_points, dims)), np.zeros((num_frames, num_points))
    changes = np.ones((num_frames, num_points, dims))
    # means of position and velocity, (dims, 2); covariances as (position, both, velocity)
    predicted, predicted_cov = np.zeros((num_frames, dims, 2)), np.zeros((num_frames, 3))
    filtered, filtered_cov = np.zeros((num_frames, dims, 2)), np.zeros((num_frames, 3))
    later = np.zeros((dims, 2))
    for j in range(num_points):
        p, c, v = start[0], 0.0, start[1]
        for t in range(num_frames):
            step, noise, new = steps[t], accelerations[t, j], t == 0 or steps[t] == np.inf
            if new:
                p, c, v = start[0], 0.0, start[1]
            else:
                p += 2 * step * c + step * step * v + noise * step * step * step / 3
                c += step * v + noise * step * step / 2
                v += noise * step
            for k in range(dims):
                predicted[t, k, 0] = 0.0 if new else filtered[t - 1, k, 0] + step * filtered[t - 1, k, 1]
                predicted[t, k, 1] = 0.0 if new else filtered[t - 1, k, 1]
                filtered[t, k, 0], filtered[t, k, 1] = predicted[t, k, 0], predicted[t, k, 1]
            predicted_cov[t, 0], predicted_cov[t, 1], predicted_cov[t, 2] = p, c, v
            for m in range(num_measurements):
                if variances[t, m, j] < np.inf:
                    total = p + variances[t, m, j]
                    for k in range(dims):
                        error = (positions[t, m, j, k] - filtered[t, k, 0]) / total
                        filtered[t, k, 0] += p * error
                        filtered[t, k, 1] += c * error
                    p, c, v = p - p * p / total, c - c * p / total, v - c * c / total
            if velocity_variances[t, j] < np.inf:
                total = v + velocity_variances[t, j]
                for k in range(dims):
                    error = (velocities[t, j, k] - filtered[t, k, 1]) / total
                    filtered[t, k, 0] += c * error
                    filtered[t, k, 1] += v * error
                p, c, v = p - c * c / total, c - c * v / total, v - v * v / total
            filtered_cov[t, 0], filtered_cov[t, 1], filtered_cov[t, 2] = p, c, v
        for t in range(num_frames - 1, -1, -1):
            fp, fc, fv = filtered_cov[t, 0], filtered_cov[t, 1], filtered_cov[t, 2]
            g00, g01, g10, g11 = 0.0, 0.0, 0.0, 0.0
            q0, q1, q2, i0, i1, i2, uncertain = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            after = t + 1
            if after == num_frames or steps[after] == np.inf:
                p, c, v = fp, fc, fv
            else:
                pp, pc, pv = predicted_cov[after, 0], predicted_cov[after, 1], predicted_cov[after, 2]
                # gain: covariance of this frame with the next one's prediction, times the inverse of the latter
                a, b, det = fp + steps[after] * fc, fc + steps[after] * fv, pp * pv - pc * pc
                g00, g01 = (a * pv - fc * pc) / det, (fc * pp - a * pc) / det
                g10, g11 = (b * pv - fv * pc) / det, (fv * pp - b * pc) / det
                dp, dc, dv = p - pp, c - pc, v - pv
                h00, h01, h10, h11 = g00 * dp + g01 * dc, g00 * dc + g01 * dv, g10 * dp + g11 * dc, g10 * dc + g11 * dv
                p, c, v = fp + h00 * g00 + h01 * g01, fc + h00 * g10 + h01 * g11, fv + h10 * g10 + h11 * g11
                step, noise = steps[after], accelerations[after, j]
                q0, q1, q2 = noise * step * step * step / 3, noise * step * step / 2, noise * step
                # expectation = variance + squared mean, of the change given all measurements
                i0, i1, i2 = pv / det, -pc / det, pp / det
                m00, m01, m10, m11 = i0 * dp + i1 * dc, i0 * dc + i1 * dv, i1 * dp + i2 * dc, i1 * dc + i2 * dv
                n0, n1, n2 = m00 * i0 + m01 * i1, m00 * i1 + m01 * i2, m10 * i1 + m11 * i2
                uncertain = 1 + (q0 * n0 + 2 * q1 * n1 + q2 * n2) / 2
            for k in range(dims):
                error0, error1 = 0.0, 0.0
                if g00 != 0.0:
                    error0, error1 = later[k, 0] - predicted[after, k, 0], later[k, 1] - predicted[after, k, 1]
                    r0, r1 = i0 * error0 + i1 * error1, i1 * error0 + i2 * error1
                    changes[after, j, k] = uncertain + (q0 * r0 * r0 + 2 * q1 * r0 * r1 + q2 * r1 * r1) / 2
                later[k, 0] = filtered[t, k, 0] + g00 * error0 + g01 * error1
                later[k, 1] = filtered[t, k, 1] + g10 * error0 + g11 * error1
                means[t, j, k] = later[k, 0]
            result[t, j] = p
    return means, result, changes
