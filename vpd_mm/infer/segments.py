"""Find and label intervals of a video from the features of one athlete."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.logging import print_log

from ..corpus import Corpus
from ..detect import FrameScorer, ProposalRule
from ..detect.proposals import check_threshold
from ..detect.search import ScoredVideo
from ..engine.model_files import class_names, find_one_trained, find_trained
from ..errors import UserError
from ..features import Window, clip_positions, interpolate
from ..features.clips import FeatureReader
from ..recognize import SequenceRecognizer
from ..retrieve import ClipQuery, DTWRetriever, items_to_exclude, load_clips, step_patterns
from ..structures import FeatureSequence, FrameTimes, load_classes
from .onnx_backend import load_model, read_model_settings


@dataclass
class Segment:
    """An interval of a video with its labels; fields of models that are not used stay empty.

    Args:
        start_frame, end_frame: End exclusive.
        score, scored_class: Of the frame scorer; its class, where it names classes.
        label, label_score: Class of the recognizer and its probability.
        label_scores: Class to probability, of all classes.
        neighbours: Gallery actions, nearest first: action_id, label, video, start_frame, end_frame, distance,
            step_pattern (those of symmetric2 come last, whatever the distance).
    """

    start_frame: int
    end_frame: int
    score: float | None = None
    scored_class: str | None = None
    label: str | None = None
    label_score: float | None = None
    label_scores: dict[str, float] = field(default_factory=dict)
    neighbours: list[dict] = field(default_factory=list)

    def to_dict(self, times: FrameTimes) -> dict:
        """Convert to JSON types; empty fields are left out."""
        row = {k: v for k, v in asdict(self).items() if v not in (None, [], {})}
        start, end = (round(float(times.seconds(frame)), 3) for frame in (self.start_frame, self.end_frame))
        return row | {'start_sec': start, 'end_sec': end}

    @property
    def caption(self) -> str:
        """Short text to draw into a frame."""
        if self.label is not None:
            return f'{self.label} {self.label_score:.2f}'
        if self.neighbours:
            return f'like {self.neighbours[0]["label"]} ({self.neighbours[0]["distance"]:.2f})'
        return f'{self.scored_class or "action"}{"" if self.score is None else f" {self.score:.2f}"}'

    def summary(self, times: FrameTimes) -> str:
        """One line of text with all results."""
        text = f'{times.seconds(self.start_frame):8.2f} to {times.seconds(self.end_frame):8.2f} s'
        if self.score is not None:
            text += f'  {self.scored_class or "action"} {self.score:.2f}'
        if self.label is not None:
            text += f'  {self.label} {self.label_score:.2f}'
        near = ', '.join(
            f'{n["label"]} ({n["action_id"]}, {n["distance"]:.3f}{"*" * (n["step_pattern"] == "symmetric2")})'
            for n in self.neighbours[:3]
        )
        return f'{text}  like {near}' if near else text


class Recognizer:
    """A trained ``SequenceRecognizer`` on intervals of a feature sequence, read as its test data set reads them.

    ``spec`` is ``CONFIG:CHECKPOINT`` or a run folder (:func:`~vpd_mm.engine.model_files.find_trained`); an ``.onnx``
    file runs in onnxruntime.  ``dims`` is D of the features.  A model
    that was trained on features of another run than ``student`` (``features.feature_extractor.run_source``) is logged.
    Raises UserError: the files do not fit, or the model takes other features.
    """

    def __init__(self, spec: str, dims: int, device: str = 'cpu', student: Mapping[str, Any] | None = None) -> None:
        config, checkpoint = find_one_trained(spec, 'recognizer')
        cfg = read_model_settings(config, checkpoint)
        self.model, meta = load_model(cfg, checkpoint, SequenceRecognizer, device)
        _compare_students(f'recognizer {spec}: was trained on', meta.get('features'), student)
        data = cfg.test_dataloader.dataset
        self.window = Window(**(data.get('window') or {}))
        self.fps = data.get('fps', 25.0)
        self.pipeline = Compose(data.pipeline)
        self.classes = class_names(cfg, meta, cfg.model.num_classes)
        given = len(self._sample(np.zeros((1, 2, dims), np.float32))['inputs'][0, 0])
        _check_dims(f'recognizer {spec}: takes', cfg.model.backbone.get('in_dims', given), given)

    def _sample(self, feats: np.ndarray) -> dict:
        sample = {'feats': feats, 'label': -1, 'action_id': '', 'num_frames': feats.shape[1], 'rng': None}
        return self.pipeline(sample)

    @torch.no_grad()
    def __call__(
        self, features: FeatureSequence, segments: Sequence[Segment], times: FrameTimes, num_frames: int
    ) -> None:
        """Label ``segments``; an interval without a feature gets no label."""
        for segment, feats in _read_segments(features, segments, times, num_frames, self.window, self.fps):
            scores = self.model.test_step(pseudo_collate([self._sample(feats)]))[0].pred_score.cpu()
            best = int(scores.argmax())
            segment.label, segment.label_score = self.classes[best], float(scores[best])
            segment.label_scores = dict(zip(self.classes, map(float, scores), strict=True))


class Scorer:
    """The mean of trained ``FrameScorer`` models, ``CONFIG:CHECKPOINT[,CHECKPOINT...]`` or a run folder, on a video.

    Intervals are made by the rule that ``tools/detect.py`` recorded in the first checkpoint (``ProposalRule``), else by
    threshold 0.5, which is logged; ``threshold`` replaces it.  ``dims`` and ``student`` are as of ``Recognizer``.
    Raises UserError: the files do not fit, or the models take other features.
    """

    def __init__(
        self,
        spec: str,
        dims: int,
        threshold: float | None = None,
        device: str = 'cpu',
        student: Mapping[str, Any] | None = None,
    ) -> None:
        check_threshold(threshold)
        config, checkpoints, _ = find_trained(spec, 'scorer')
        cfg = read_model_settings(config, checkpoints[0])
        loaded = [load_model(cfg, checkpoint, FrameScorer, device) for checkpoint in checkpoints]
        self.models = [model for model, _ in loaded]
        _compare_students(f'scorer {spec}: was trained on', loaded[0][1].get('features'), student)
        self.fps = cfg.test_dataloader.dataset.get('fps', 25.0)
        self.classes = class_names(cfg, loaded[0][1], cfg.model.get('num_classes', 1))
        self._named = len(self.classes) > 1 or loaded[0][1].get('classes') not in (None, ['action'])
        where = f'scorer {checkpoints[0]}'
        recorded = [meta.get('proposals') for _, meta in loaded]
        rule = ProposalRule.from_json(recorded[0], len(self.classes), where)
        self.rule = rule or ProposalRule(0.5)
        if threshold is not None:
            self.rule = self.rule._replace(threshold=threshold)
        elif rule is None:
            print_log(f'{where}: records no threshold, 0.5 is used; tools/detect.py chooses one', 'current')
        else:
            print_log(f'{where}: threshold {rule.threshold:g}, as recorded when it was trained', 'current')
        if any(other != recorded[0] for other in recorded):
            print_log(f'{where}: the other checkpoints record another threshold', 'current', logging.WARNING)
        _check_dims(f'scorer {spec}: takes', cfg.model.backbone.get('in_dims', dims), dims)

    @torch.no_grad()
    def __call__(
        self, features: FeatureSequence, times: FrameTimes, num_frames: int
    ) -> tuple[np.ndarray, list[Segment]]:
        """Return (T, C) scores at the rate of the scorer, and the intervals in order of time."""
        rows = clip_positions(0, num_frames, times, num_frames, Window(), self.fps)
        feats = interpolate(features, rows, features.num_views)
        if feats is None:
            return np.zeros((0, len(self.classes))), []
        inputs = {'inputs': [torch.from_numpy(feats)], 'data_samples': None}
        outputs = [model.test_step(inputs)[0] for model in self.models]
        scores = np.mean([output.frame_scores.cpu().numpy() for output in outputs], axis=0)
        video = ScoredVideo('', scores, np.append(rows, num_frames), np.zeros((0, 2)), np.zeros(0, int))
        return scores, [
            Segment(p.start_frame, p.end_frame, float(p.score), self.classes[p.label] if self._named else None)
            for p in sorted(video.to_frames(p) for p in self.rule(scores))
        ]


class Gallery:
    """Labelled actions of a corpus, searched by DTW for the ``top`` neighbours of an interval.

    Window and rate are those of the corpus.  A video of the corpus itself, by its name and number of frames, does
    not find the actions that share frames with the interval.

    ``spec`` is ``CORPUS:FEATURES[:SPLIT]``, such as ``data/jumps:vpd`` or ``data/jumps:features/vpd:train``.  Features
    of another run than ``student`` (``features.feature_extractor.run_source``) are logged.  Raises UserError: the
    corpus or its features are missing, or their D is not ``dims``.
    """

    def __init__(self, spec: str, dims: int, top: int = 5, student: Mapping[str, Any] | None = None) -> None:
        parts = spec.split(':')
        if len(parts) not in (2, 3) or not all(parts) or top < 1:
            raise UserError(f'gallery {spec!r}: must be CORPUS:FEATURES[:SPLIT], and top at least 1 (found {top})')
        corpus = Corpus.open(parts[0])
        self.settings = corpus.settings()
        self.clips = load_clips(corpus, parts[1], allow_missing=True).of_split(parts[2] if len(parts) == 3 else None)
        self.classes = load_classes(corpus.classes_path)
        made_of = FeatureReader(corpus, parts[1]).made_of(self.clips.actions[0].video)
        _compare_students(f'gallery {spec}: has', made_of, student)
        _check_dims(f'gallery {spec}: has', self.clips.clips[0].shape[2], dims)
        self.top = min(top, len(self.clips))
        self._retriever = DTWRetriever(self.clips.clips, self.clips.names)
        self._frames = {name: video.num_frames for name, video in corpus.videos().items()}

    def __call__(
        self,
        features: FeatureSequence,
        segments: Sequence[Segment],
        times: FrameTimes,
        num_frames: int,
        video: str = '',
    ) -> None:
        """Find the neighbours of ``segments`` of ``video``."""
        video = video if self._frames.get(video) == num_frames else ''
        window, rate = self.settings.window, self.settings.fps
        for segment, feats in _read_segments(features, segments, times, num_frames, window, rate):
            query = ClipQuery(None, video, segment.start_frame, segment.end_frame, feats.transpose(1, 0, 2))
            [own] = items_to_exclude([query], self.clips.actions)
            if len(own):
                text = f'{video}: is in the gallery; its own actions there that overlap are left out: {len(own)}'
                print_log(text, 'current')
            top = min(self.top, len(self.clips) - len(own))
            if not top:
                continue
            [inds], [distances], _ = self._retriever.search([query.feats], top, [own])
            patterns = step_patterns(query.feats, [self.clips.clips[i] for i in inds])
            for i, distance, pattern in zip(inds, distances, patterns, strict=True):
                action = self.clips.actions[i]
                row = {'action_id': action.action_id, 'label': self.classes[action.label], 'video': action.video}
                row |= {'start_frame': action.start_frame, 'end_frame': action.end_frame, 'distance': float(distance)}
                segment.neighbours.append(row | {'step_pattern': pattern})


def _read_segments(
    features: FeatureSequence,
    segments: Sequence[Segment],
    times: FrameTimes,
    num_frames: int,
    window: Window,
    rate: float | None,
) -> Iterator[tuple[Segment, np.ndarray]]:
    """Yield intervals with features, and these (V, T, D) at ``rate``, as ``FeatureClipDataset`` reads an action."""
    for segment in segments:
        positions = clip_positions(segment.start_frame, segment.end_frame, times, num_frames, window, rate)
        feats = interpolate(features, positions, features.num_views) if len(positions) else None
        if feats is not None:
            yield segment, feats


def _compare_students(what: str, made_of: Any, student: Mapping[str, Any] | None) -> None:
    """Log where features, as :meth:`FeatureReader.made_of` describes them, are not of this student."""
    if student is None or not isinstance(made_of, list) or not all(isinstance(one, Mapping) for one in made_of):
        return
    models = [one.get('model') for one in made_of]
    if any(models) and models != [student['inputs']['model']]:
        named = ' + '.join(str({k: v for k, v in one.items() if k != 'model'}) for one in made_of)
        text = f'features of another student, {named}, as it was then; results mean little'
        print_log(f'{what} {text}: pass the --student that fits, or make it again', 'current', logging.WARNING)


def _check_dims(what: str, dims: int, given: int) -> None:
    if dims != given:
        raise UserError(f'{what} d={dims}, this student gives d={given}; use the features of one run')
