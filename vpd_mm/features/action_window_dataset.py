"""Base of the data sets of labeled actions: selection of the actions and of their frames."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ..corpus import Corpus, VideoInfo, Window
from ..errors import UserError, counted, listed
from ..structures import Action, load_actions, load_classes, read_lines
from .clips import clip_positions


class ActionWindowDataset(BaseDataset):
    """Labeled actions of a corpus, one sample each; subclasses read the data of an action.

    The same arguments select the same actions and frames in all subclasses, so that methods can be compared.

    Added keys: ``label`` int, ``action_id`` and ``video`` str, ``total_frames`` T, ``start_index`` (0), ``rng`` a
    ``np.random.Generator`` that depends on seed, epoch, sample and repetition, ``test_mode``.

    Args:
        corpus: Folder of the corpus.
        split: One or several splits of actions.csv.
        ids_file: List of the action ids to use (few-shot), relative to the corpus.
        window: ``before_sec`` and ``after_sec`` around the action, see :class:`Window`.
        fps: Frame rate of the samples; None: the rate of the video.
        num_classes: Expected number of classes; checked.
        allow_missing: Leave out actions without data with a warning instead of raising an error.
        seed: Seed of the random transforms; ``set_epoch`` overrides it.
        kwargs: Arguments of ``mmengine.dataset.BaseDataset`` (``pipeline``, ``test_mode``, ``indices``).

    Raises:
        UserError: data is missing, an action exceeds its video, a window is empty, or the number of classes differs.
    """

    #: Name of the data in messages about missing clips, and number of actions that were left out for lack of it.
    what = 'clip'
    num_left_out = 0

    def __init__(
        self,
        corpus: str,
        split: str | Sequence[str] = 'train',
        ids_file: str | None = None,
        window: dict | None = None,
        fps: float | None = 25.0,
        num_classes: int | None = None,
        allow_missing: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.corpus_dir, self.ids_file = corpus, ids_file
        self.splits = [split] if isinstance(split, str) else list(split)
        self.window, self.fps = Window(**(window or {})), fps
        self.num_classes, self.allow_missing = num_classes, allow_missing
        self.set_epoch(0, seed)
        super().__init__(**{'serialize_data': False, **kwargs})

    @abstractmethod
    def open_corpus(self, corpus: Corpus) -> None:
        """Prepare to read; called once, before the first :meth:`read_clip`."""

    @abstractmethod
    def read_clip(self, action: Action, video: VideoInfo, positions: np.ndarray) -> dict | None:
        """Return the keys of an action at ``positions`` (T,) int64, frames of ``video``; None: no data."""

    def load_data_list(self) -> list[dict]:
        """Load one dict per action."""
        corpus = Corpus.open(self.corpus_dir)
        classes = load_classes(corpus.classes_path)
        if self.num_classes not in (None, len(classes)):
            raise UserError(
                f'{corpus.classes_path}: {len(classes)} classes, the config has num_classes={self.num_classes}; set '
                'num_classes'
            )
        self._metainfo['classes'] = classes
        ids_path = None if self.ids_file is None else corpus.root / self.ids_file
        actions = load_actions(corpus.actions_path, len(classes))
        actions = select_actions(actions, self.splits, ids_path, corpus.actions_path)
        self.open_corpus(corpus)
        videos = corpus.videos()
        samples, missing, problems = [], [], []
        for action in actions:
            name = f'{action.action_id} ({action.video} {action.start_frame}..{action.end_frame})'
            video = videos.get(action.video)
            if video is None:
                problems.append(f'{name}: no such video in videos.csv')
                continue
            if action.end_frame > video.num_frames:
                problems.append(f'{name}: the video has only {video.num_frames} frames')
                continue
            positions = clip_positions(
                action.start_frame, action.end_frame, corpus.times(video), video.num_frames, self.window, self.fps
            )
            if not len(positions):
                problems.append(f'{name}: its window is empty')
            elif (clip := self.read_clip(action, video, positions)) is None:
                missing.append(name)
            else:
                sample = {'label': action.label, 'action_id': action.action_id, 'video': action.video}
                samples.append({**sample, 'total_frames': len(positions), 'start_index': 0, **clip})
        if problems:
            raise UserError(f'{corpus.actions_path}: {listed(problems)}; correct the file')
        self.num_left_out = len(missing)
        if missing:
            problem = f'{len(missing)} of {len(actions)} actions have no {self.what}: {listed(missing)}'
            if not samples or not self.allow_missing:
                raise UserError(f'{corpus.root}: {problem}; make them, or leave the actions out with --allow-missing')
            print_log(f'{corpus.root}: left out: {problem}', 'current', level=30)
        return samples

    def used_videos(self) -> list[str]:
        """List the videos of the samples."""
        return sorted({sample['video'] for sample in self.data_list})

    def summary(self) -> list[str]:
        """Describe the samples in a line for people."""
        labels = {sample['action_id']: sample['label'] for sample in self.data_list}
        counts = Counter(labels.values())
        each = ' to '.join(map(str, sorted({min(counts.values()), max(counts.values())})))
        left_out = f', {self.num_left_out} left out' * bool(self.num_left_out)
        return [
            f'{counted(len(labels), "clip")} of {counted(len(self.used_videos()), "video")} of {self.corpus_dir}, '
            f'{each} of each of {counted(len(counts), "class")}{left_out}'
        ]

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Set epoch and seed, so that random transforms are reproducible after a resume."""
        self.seed, self.epoch = seed, epoch
        self._times_drawn: dict[int, int] = {}

    def prepare_data(self, idx: int | tuple[int, int]) -> Any:
        """Return a sample after the pipeline; ``idx`` is an index, or (index, draw) from ``EpochDrawSampler``."""
        index, *draw = idx if isinstance(idx, tuple) else (int(idx),)
        if not draw:
            times = self._times_drawn[index] = self._times_drawn.get(index, -1) + 1
            draw = [self.seed, self.epoch, index, times]
        # Copies, because transforms may change arrays in place.
        sample = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in self.data_list[index].items()}
        return self.pipeline({**sample, 'rng': np.random.default_rng(draw), 'test_mode': self.test_mode})

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class of sample ``idx`` for ``ClassBalancedDataset``."""
        return [self.data_list[idx]['label']]


def select_actions(
    actions: Sequence[Action], splits: Sequence[str], ids_file: Path | None, source: Path
) -> list[Action]:
    """Select the actions of some splits, and of an id list if given.

    Raises:
        UserError: no action is left, or the list contains an unknown action or one of another split.
    """
    if ids_file is None:
        chosen = [a for a in actions if a.split in splits]
        if not chosen:
            known = ', '.join(sorted({a.split for a in actions})) or 'none'
            hint = (
                '; write val as the split of some training actions, divide them in the studio, or import with a '
                '--val-share above 0; FX35 and Diving48 can do without (--protocol paper)'
                if list(splits) == ['val']
                else ''
            )
            raise UserError(f'{source}: no action of split {"/".join(splits)}; it has {known}{hint}')
        return chosen
    by_id = {a.action_id: a for a in actions}
    if not ids_file.is_file():
        raise UserError(f'{ids_file}: no such id list; it needs one action id per line')
    ids = read_lines(ids_file)
    if not by_id.keys() >= set(ids):  # some may be of videos that are left out
        every = {action.action_id for action in load_actions(source, all_videos=True)}
        ids = [name for name in ids if name in by_id or name not in every]
    hint = 'if the labels were changed since, delete the list: tools/fewshot.py draws it again'
    for action_id in ids:
        if action_id not in by_id:
            raise UserError(f'{ids_file}: action {action_id!r} is not in {source}; {hint}')
        if (split := by_id[action_id].split) not in splits:
            raise UserError(f'{ids_file}: action {action_id!r} is of split {split}, not {splits}; {hint}')
    if not ids or len(set(ids)) != len(ids):
        raise UserError(f'{ids_file}: is empty or names an action twice')
    return [by_id[action_id] for action_id in ids]
