"""Calibration of class probabilities: temperature, reliability, expected calibration error."""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

NUM_BINS = 10
#: Range of the temperature.
_RANGE = (0.2, 5.0)


def temper(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Raise probabilities (..., C) to the power 1 / temperature and normalise them."""
    logits = np.log(np.maximum(probabilities, 1e-9)) / temperature
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative logarithm of the probability (N, C) of the true classes (N,)."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-9)).mean())


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in 0.2..5 with the least log loss on clips that the models have not seen."""

    def loss(logarithm: float) -> float:
        return log_loss(temper(probabilities, float(np.exp(logarithm))), labels)

    return float(np.exp(minimize_scalar(loss, bounds=np.log(_RANGE), method='bounded').x))


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, list[dict[str, Any]]]:
    """Expected calibration error, and the filled ones of ten bins of confidence.

    A bin has ``confidence`` (mean), ``accuracy`` and ``n``.  The error is the mean difference of
    the two over the clips.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    number = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    bins, error = [], 0.0
    for i in np.unique(number):
        inside = number == i
        mean, accuracy, n = float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum())
        error += n / len(labels) * abs(mean - accuracy)
        bins.append({'confidence': round(mean, 4), 'accuracy': round(accuracy, 4), 'n': n})
    return error, bins


def calibrate(probabilities: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> tuple[float, dict[str, Any]]:
    """Choose a temperature on held-out clips.

    It is used where it lowers the log loss of clips of folds on which it was not fitted, else it is 1.

    Args:
        probabilities: (N, C), each by the model that has not seen the clip.
        labels, folds: (N,).

    Returns:
        The temperature, and ``temperature``, ``error`` (with it, fitted on the other folds), ``error_before`` and
        ``bins``.
    """
    before, bins = reliability(probabilities, labels)
    report = {'temperature': 1.0, 'error': round(before, 4), 'error_before': round(before, 4), 'bins': bins}
    names = np.unique(folds)
    if len(names) < 2:
        return 1.0, report
    crossed = np.empty_like(probabilities)
    for fold in names:
        inside = folds == fold
        crossed[inside] = temper(probabilities[inside], fit_temperature(probabilities[~inside], labels[~inside]))
    if log_loss(crossed, labels) >= log_loss(probabilities, labels):
        return 1.0, report
    temperature = fit_temperature(probabilities, labels)
    error, bins = reliability(crossed, labels)
    return temperature, report | {'temperature': round(temperature, 3), 'error': round(error, 4), 'bins': bins}
