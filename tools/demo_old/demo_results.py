"""What the demonstration measured, as results.json has it."""

import importlib.metadata
import platform
from collections.abc import Mapping
from statistics import mean, stdev

from vpd_mm.version import __version__

_PACKAGES = ('torch', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmaction2')


def versions() -> dict[str, str]:
    """Of what decides a number."""
    import mmaction
    import mmcv
    import mmdet
    import mmpose

    own = {'mmcv': mmcv, 'mmdet': mmdet, 'mmpose': mmpose, 'mmaction2': mmaction}
    found = {'vpd_mm': __version__, 'python': platform.python_version(), 'machine': platform.machine()}
    for name in _PACKAGES:
        found[name] = own[name].__version__ if name in own else importlib.metadata.version(name)
    return found


def demo_results(results: Mapping[str, dict], seconds: Mapping[str, float], scale: str, seed: int) -> dict:
    """The content of results.json.

    Args:
        results: What each stage returned.
        seconds: What each stage took.
        scale: Name of the scale.
        seed: Of the run.

    Returns:
        ``recognition``: a row a method, accuracies in percent, ``top1_std`` the sample deviation over its runs;
        ``gap_filling``: mean joint error to the truth in torso sizes on the frames where the teacher has a pose that it
        is not sure of (None where there is no such frame); ``retrieval`` and ``detection``: a row a method, shares;
        ``seconds``, ``seed``, ``scale``, ``versions``.
    """
    rows = {name: result for name, result in results.items() if not result.get('skipped')}
    gaps = rows.get('gaps', {})
    return {
        'recognition': [
            row for name, result in rows.items() if name.startswith('recognize-') for row in recognition_rows(result)
        ],
        'gap_filling': {
            'teacher_error': _rounded(gaps.get('teacher_error_unsure')),
            'student_error': _rounded(gaps.get('student_error_unsure')),
            'frames': int(gaps.get('frames_unsure', 0)),
        },
        'retrieval': [row for name, row in rows.items() if name.startswith('retrieve-')],
        'detection': [row for name, row in rows.items() if name.startswith('detect-')],
        'seconds': dict(seconds),
        'seed': seed,
        'scale': scale,
        'versions': versions(),
    }


def recognition_rows(result: Mapping) -> list[dict]:
    """Mean and deviation of a method's runs, a row a k, smallest first; 'all' stands for all training actions."""
    return [
        {
            'method': result['method'],
            'k': int(k) if k.isdigit() else k,
            'top1_mean': round(mean(top1), 2),
            'top1_std': round(stdev(top1), 2) if len(top1) > 1 else 0.0,
            'runs': len(top1),
        }
        for k, top1 in sorted(result['top1'].items(), key=lambda item: (not item[0].isdigit(), item[0].zfill(9)))
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


__all__ = ['demo_results', 'recognition_rows', 'versions']
