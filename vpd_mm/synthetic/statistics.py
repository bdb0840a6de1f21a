"""Statistics of a synthetic corpus."""

from collections import Counter

import numpy as np

from ..corpus import Corpus
from ..structures import load_actions, load_classes
from .ground_truth import GroundTruth


def sport_statistics(corpus: Corpus) -> dict[str, str]:
    """Return name to value, ready to print; reads the labels and the ground truth."""
    videos, actions = corpus.videos(), load_actions(corpus.actions_path)
    frames = sum(v.num_frames for v in videos.values())
    labelled = Counter[str]()
    for action in actions:
        labelled[action.video] += action.num_frames
    shares = [n / videos[name].num_frames for name, n in labelled.items()]
    share = labelled.total() / max(sum(videos[name].num_frames for name in labelled), 1)
    seconds = [v.num_frames / v.fps for v in videos.values()]
    scenes = [GroundTruth.load(corpus.root / 'ground_truth' / 'scenes' / f'{name}.npz') for name in videos]
    heights = np.concatenate([scene.boxes[:, 3] - scene.boxes[:, 1] for scene in scenes])
    visibility = np.concatenate([scene.visibility for scene in scenes])
    num_bytes = sum(path.stat().st_size for path in (corpus.root / 'videos').glob('*.mp4'))
    statistics = {
        'videos': f'{len(videos)} ({len(videos) - len(labelled)} without labels)',
        'frames': f'{frames:,}',
        'seconds a video': f'{min(seconds):.1f} to {max(seconds):.1f}, mean {np.mean(seconds):.1f}',
        'classes': f'{len(load_classes(corpus.classes_path))}',
        'action frames': f'{share:.1%} of labelled videos (largest share of one {max(shares, default=0):.1%})',
        'frames in any flight': f'{np.concatenate([scene.airborne for scene in scenes]).mean():.1%}',
        'box height, px': ' / '.join(f'{q:.0f}' for q in np.percentile(heights, (5, 50, 95))) + ' (5, 50, 95 %)',
        'joints visible, hidden, outside': ' / '.join(f'{(visibility == v).mean():.1%}' for v in (2, 1, 0)),
        'bytes of video a frame': f'{num_bytes / frames:.0f}',
    }
    for split in sorted({a.split for a in actions}):
        counts = Counter(a.label for a in actions if a.split == split)
        span = f'{min(counts.values())} to {max(counts.values())} a class'
        statistics[f'actions in {split}'] = f'{counts.total()}, {span}'
    return statistics
