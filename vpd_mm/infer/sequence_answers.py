"""What an action is, where actions are, what is alike: answers from the features of one athlete."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import BaseDataElement

from ..corpus import Corpus
from ..detect import FrameScorer, find_proposals
from ..detect.search import ScoredVideo
from ..engine.model_files import build_model, class_names, load_weights, read_model_config, split_spec
from ..errors import UserError
from ..features import Window, clip_positions, interpolate
from ..recognize import SequenceRecognizer
from ..retrieve import DTWRetriever, load_clips
from ..structures import FeatureSequence, load_classes


@dataclass
class Segment:
    """An interval of the video and what is said of it.

    Args:
        start_frame, end_frame: End exclusive.
        score: Of the frame scorer; None without one.
        scored_class: The scorer's class where it has several.
        label: The recogniser's class; None without one.
        label_score: Its probability.
        label_scores: (C,) of every class.
        neighbours: Gallery actions, nearest first: action_id, label, video,
            start_frame, end_frame, distance.
    """

    start_frame: int
    end_frame: int
    score: float | None = None
    scored_class: str | None = None
    label: str | None = None
    label_score: float | None = None
    label_scores: list[float] = field(default_factory=list)
    neighbours: list[dict] = field(default_factory=list)

    def to_dict(self, fps: float) -> dict:
        """For JSON; what was not asked for is left out."""
        row = {k: v for k, v in asdict(self).items() if v is not None and v != []}
        return row | {'start_sec': round(self.start_frame / fps, 3), 'end_sec': round(self.end_frame / fps, 3)}


class Recognizer:
    """A trained ``SequenceRecognizer`` on intervals of a feature sequence, read as its test data set reads them.

    Args:
        spec: ``CONFIG:CHECKPOINT``; an ``.onnx`` runs in onnxruntime.
        dims: D of the features.
        device: Where it runs.

    Raises:
        UserError: the files do not fit, or the model takes other features.
    """

    def __init__(self, spec: str, dims: int, device: str = 'cpu') -> None:
        self.model, cfg, meta = load_sequence_model(spec, 'recognizer', SequenceRecognizer, device)
        data = cfg.test_dataloader.dataset
        self.window = Window(**(data.get('window') or {}))
        self.fps = data.get('fps', 25.0)
        self.pipeline = Compose(data.pipeline)
        self.classes = class_names(cfg, meta, cfg.model.num_classes)
        wanted = cfg.model.backbone.get('in_dims')
        found = len(self._sample(np.zeros((1, 2, dims), np.float32))['inputs'][0, 0])
        if wanted is not None and wanted != found:
            raise UserError(f'recognizer {spec}: takes d={wanted}, this student gives d={found}; one feature run')

    def _sample(self, feats: np.ndarray) -> dict:
        sample = {'feats': feats, 'gt_label': -1, 'action_id': '', 'num_frames': feats.shape[1], 'rng': None}
        return self.pipeline(sample)

    @torch.no_grad()
    def __call__(self, features: FeatureSequence, segments: Sequence[Segment], fps: float, num_frames: int) -> None:
        """Label ``segments``; where the interval holds no feature it stays without one."""
        for segment in segments:
            feats = read_segment(features, segment, fps, num_frames, self.window, self.fps)
            if feats is None:
                continue
            scores = self.model.test_step(pseudo_collate([self._sample(feats)]))[0].pred_score.cpu()
            best = int(scores.argmax())
            segment.label, segment.label_score = self.classes[best], float(scores[best])
            segment.label_scores = [float(s) for s in scores]


class Scorer:
    """Trained ``FrameScorer``'s (their mean) on a whole video.

    Args:
        spec: ``CONFIG:CHECKPOINT[,CHECKPOINT...]``.
        dims: D of the features.
        threshold: A frame counts from this score on.
        device: Where it runs.

    Raises:
        UserError: the files do not fit, or the model takes other features.
    """

    def __init__(self, spec: str, dims: int, threshold: float = 0.5, device: str = 'cpu') -> None:
        if not 0 <= threshold <= 1:
            raise UserError(f'threshold must lie in 0..1, found {threshold}')
        config, checkpoints = split_spec(spec, 'scorer')
        loaded = [load_sequence_model(f'{config}:{c}', 'scorer', FrameScorer, device) for c in checkpoints]
        self.models = [model for model, _, _ in loaded]
        _, cfg, meta = loaded[0]
        self.fps = cfg.test_dataloader.dataset.get('fps', 25.0)
        self.threshold = threshold
        self.classes = class_names(cfg, meta, cfg.model.get('num_classes', 1))
        wanted = cfg.model.backbone.get('in_dims', dims)
        if wanted != dims:
            raise UserError(f'scorer {spec}: takes d={wanted}, this student gives d={dims}; one feature run')

    @torch.no_grad()
    def __call__(self, features: FeatureSequence, fps: float, num_frames: int) -> tuple[ScoredVideo, list[Segment]]:
        """Scores of the video at the scorer's rate, and the intervals above the threshold in order of time."""
        step = 1.0 if self.fps is None else fps / self.fps
        feats = interpolate(features, np.arange(0, num_frames - 1 + 1e-6, step), features.num_views)
        none = np.zeros((0, 2)), np.zeros(0, int)
        if feats is None:
            return ScoredVideo('', np.zeros((0, len(self.classes))), step, *none), []
        batch = [torch.from_numpy(feats)]
        outputs = [model.test_step({'inputs': batch, 'data_samples': None})[0] for model in self.models]
        scores = np.mean([output.frame_scores.cpu().numpy() for output in outputs], axis=0)
        video = ScoredVideo('', scores, step, *none)
        found = [video.to_frames(p) for p in find_proposals(scores, self.threshold)]
        several = len(self.classes) > 1
        segments = [
            Segment(p.start_frame, p.end_frame, float(p.score), self.classes[p.label] if several else None)
            for p in sorted(found)
        ]
        return video, segments


class Gallery:
    """Labelled actions of a corpus, searched by DTW.

    Args:
        spec: ``CORPUS:FEATURES[:SPLIT]``, such as ``data/jumps:vpd`` or ``data/jumps:features/vpd:train``.
        dims: D of the features.
        top: Neighbours an interval.

    Raises:
        UserError: the corpus or its features are missing, or have another D.
    """

    def __init__(self, spec: str, dims: int, top: int = 5) -> None:
        parts = spec.split(':')
        if len(parts) not in (2, 3) or not all(parts) or top < 1:
            raise UserError(f'gallery {spec!r}: must be CORPUS:FEATURES[:SPLIT], and top at least 1 (found {top})')
        corpus = Corpus.open(parts[0])
        self.clips = load_clips(corpus, parts[1], allow_missing=True).of_split(parts[2] if len(parts) == 3 else None)
        self.classes = load_classes(corpus.classes_path)
        found = self.clips.clips[0].shape[2]
        if found != dims:
            raise UserError(f'gallery {spec}: has d={found}, this student gives d={dims}; one feature run')
        self.top = min(top, len(self.clips))
        self._retriever = DTWRetriever(self.clips.clips, names=self.clips.names)

    def __call__(self, features: FeatureSequence, segments: Sequence[Segment], fps: float, num_frames: int) -> None:
        """Find the neighbours of ``segments``."""
        for segment in segments:
            feats = read_segment(features, segment, fps, num_frames, Window(), 25.0)
            if feats is None:
                continue
            found = self._retriever.search([feats.transpose(1, 0, 2)], self.top)
            for i, distance in zip(found.inds[0], found.distances[0], strict=True):
                action = self.clips.actions[i]
                segment.neighbours.append(
                    {
                        'action_id': action.action_id,
                        'label': self.classes[action.label],
                        'video': action.video,
                        'start_frame': action.start_frame,
                        'end_frame': action.end_frame,
                        'distance': float(distance),
                    }
                )


class SequenceAnswers:
    """Intervals first, then what each of them is; without a scorer the whole track is one interval.

    Args:
        recognizer, scorer, gallery: Any of them, or None.
    """

    def __init__(self, recognizer: Recognizer | None, scorer: Scorer | None, gallery: Gallery | None) -> None:
        self.recognizer, self.scorer, self.gallery = recognizer, scorer, gallery

    def __call__(self, sample: BaseDataElement) -> None:
        """Add ``segments``, and with a scorer ``frame_scores`` (T, C), to a sample with ``features``."""
        features, fps, num_frames = sample.features, sample.fps, sample.num_frames
        segments: list[Segment] = []
        if self.scorer is not None:
            scored, segments = self.scorer(features, fps, num_frames)
            sample.set_field(scored.scores, 'frame_scores')
        elif self.recognizer is not None or self.gallery is not None:
            segments = whole_segment(features)
        if self.recognizer is not None:
            self.recognizer(features, segments, fps, num_frames)
        if self.gallery is not None:
            self.gallery(features, segments, fps, num_frames)
        sample.set_field(segments, 'segments')


def whole_segment(features: FeatureSequence) -> list[Segment]:
    """From the first to the last frame with a feature, as one interval; none where there is no feature."""
    return [Segment(int(features.frame_inds[0]), int(features.frame_inds[-1]) + 1)] if len(features) else []


def read_segment(
    features: FeatureSequence, segment: Segment, fps: float, num_frames: int, window: Window, rate: float | None
) -> np.ndarray | None:
    """(V, T, D) of an interval at ``rate``, as ``FeatureClipDataset`` reads an action; None without a feature."""
    where = clip_positions(segment.start_frame, segment.end_frame, fps, num_frames, window, rate)
    return interpolate(features, where, features.num_views) if len(where) else None


def load_sequence_model(spec: str, what: str, kind: Any, device: str) -> tuple:
    """(model, config, metadata) of ``CONFIG:CHECKPOINT``; the checkpoint may be an ONNX file.

    Raises:
        UserError: the files are missing, do not fit, or the config is of another kind of model.
    """
    config, checkpoints = split_spec(spec, what)
    if len(checkpoints) > 1:
        raise UserError(f'{what} {spec!r}: takes one checkpoint')
    cfg = read_model_config(config)
    model: Any = build_model(cfg)
    if not isinstance(model, kind):
        raise UserError(f'{what} {config}: its model is {type(model).__name__}, expected a {kind.__name__}')
    if checkpoints[0].endswith('.onnx'):
        from .onnx_backend import run_sequences_in_onnx

        return model, cfg, run_sequences_in_onnx(model, checkpoints[0], device)
    meta = load_weights(model, checkpoints[0], cfg)
    return model.to(device), cfg, meta
