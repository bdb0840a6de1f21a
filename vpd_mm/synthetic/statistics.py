"""What a synthetic corpus holds, in numbers."""

from collections import Counter

import numpy as np

from ..corpus import Corpus
from ..structures import load_actions, load_classes
from .truth import GroundTruth


def sport_statistics(corpus: Corpus) -> dict[str, str]:
    """Name to value, ready to print; reads the labels and the truth."""
    videos, actions = corpus.videos(), load_actions(corpus.actions_path)
    frames = sum(v.num_frames for v in videos.values())
    per_film = Counter[str]()
    for action in actions:
        per_film[action.video] += action.num_frames
    shares = [n / videos[name].num_frames for name, n in per_film.items()]
    share = per_film.total() / max(sum(videos[name].num_frames for name in per_film), 1)
    seconds = [v.num_frames / v.fps for v in videos.values()]
    truths = [GroundTruth.load(corpus.root / 'ground_truth' / 'scenes' / f'{name}.npz') for name in videos]
    heights = np.concatenate([t.boxes[:, 3] - t.boxes[:, 1] for t in truths])
    visibility = np.concatenate([t.visibility for t in truths])
    found = {
        'films': f'{len(videos)} ({len(videos) - len(per_film)} without labels)',
        'frames': f'{frames:,}',
        'seconds a film': f'{min(seconds):.1f} to {max(seconds):.1f}, mean {np.mean(seconds):.1f}',
        'classes': f'{len(load_classes(corpus.classes_path))}',
        'action frames': f'{share:.1%} of labelled films (largest share of one {max(shares, default=0):.1%})',
        'frames in any flight': f'{np.concatenate([t.airborne for t in truths]).mean():.1%}',
        'box height, px': ' / '.join(f'{q:.0f}' for q in np.percentile(heights, (5, 50, 95))) + ' (5, 50, 95 %)',
        'joints visible, hidden, outside': ' / '.join(f'{(visibility == v).mean():.1%}' for v in (2, 1, 0)),
        'bytes of video a frame': f'{_video_bytes(corpus) / frames:.0f}',
    }
    for split in sorted({a.split for a in actions}):
        counts = Counter(a.label for a in actions if a.split == split)
        found[f'actions in {split}'] = f'{counts.total()}, {min(counts.values())} to {max(counts.values())} a class'
    return found


def _video_bytes(corpus: Corpus) -> int:
    return sum(path.stat().st_size for path in (corpus.root / 'videos').glob('*.mp4'))
