"""Video in; athlete, features, labels, intervals, neighbours out."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement

from ..athlete import FlowEstimator, SquareCropper
from ..distill import PoseDistiller
from ..engine.model_files import read_model_config
from ..engine.model_zoo import pick_device
from ..errors import UserError
from ..features.feature_extractor import FeatureExtractor
from ..prepare.models import Models
from ..prepare.options import PrepareSettings
from ..prepare.tracking_pass import ONLINE_RULES
from ..registry import INFERENCERS
from ..structures import AthleteTrack
from .frame_source import FrameSource, FrameStream, Input, list_inputs, open_source
from .inference_sample import (
    Boxes,
    boxes_of,
    caption,
    check_targets,
    collect,
    make_sample,
    one_track,
    prediction,
    save_sample,
    source_name,
)
from .offline_pass import OfflineChain, nobody_found, progress_bars
from .online_pass import FrameAnswer, OnlineChain
from .overlay import Canvas, draw_answer
from .sequence_answers import Gallery, Recognizer, Scorer, SequenceAnswers
from .student_loader import load_student
from .student_pass import StudentChain, box_at

Answers = Generator[FrameAnswer, None, None]


@INFERENCERS.register_module()
class VPDInferencer(BaseInferencer):
    """The student on videos, in the manner of ``MMPoseInferencer`` and ``MMAction2Inferencer``; no pose model.

    Two ways to go through a video:

    - *offline* (files, folders, arrays): one pass finds the athlete as
      ``tools/prepare.py`` does (the choice is made at the end of each shot),
      the second makes the features.  The numbers are those of
      ``tools/extract_features.py`` on the corpus.
    - *online* (iterators, cameras, ``online=True``, :meth:`stream`): one pass;
      the athlete is chosen in every frame (rule: ``OnlineTracker``), and a
      choice is never taken back.

    Memory does not depend on the length of the video but for the result: 28
    bytes a box and 8 D a feature (:meth:`stream`: nothing).

    Args:
        model: Distillation config: path, or ``Config``.
        weights: Checkpoint of the student; with ``backend='onnxruntime'`` the
            ``.onnx`` of ``tools/export.py``.
        boxes: As ``tools/prepare.py --boxes``: ``mmdet:<config>[:<checkpoint>]``,
            ``full``, or a folder of box files; None: the packed detector.
        recognizer: ``CONFIG:CHECKPOINT`` of a ``SequenceRecognizer``.
        scorer: ``CONFIG:CHECKPOINT[,CHECKPOINT...]`` of ``FrameScorer``'s.
        threshold: Of the scorer.
        gallery: ``CORPUS:FEATURES[:SPLIT]`` of labelled actions.
        top: Neighbours an interval.
        backend: 'torch' or 'onnxruntime'.
        device: 'auto', 'cpu', 'cuda', ...
        tracker: Rules of the trackers, as ``tools/prepare.py --track``.
        crop_size, flow, flow_checkpoint, subtract_median: As the student's corpus was prepared.
        batch_size: Crops a forward pass.
        scope: Default scope of the config.
        show_progress: A bar on stderr.

    Raises:
        UserError: a file is missing or does not fit, or an option is off.

    Example:
        >>> inferencer = VPDInferencer('configs/distill/x.py', 'epoch_40.pth', recognizer='r.py:r.pth')
        >>> inferencer('jump.mp4', vis_out_dir='out', pred_out_dir='out')['predictions'][0]['segments']
        >>> for answer in inferencer.stream(0):  # camera
        ...     print(answer.frame_ind, answer.box)
    """

    preprocess_kwargs: set = {'fps'}
    forward_kwargs: set = {'bboxes', 'online'}
    visualize_kwargs: set = {'return_vis', 'show', 'wait_time', 'vis_out_dir'}
    postprocess_kwargs: set = {'pred_out_dir'}

    def __init__(
        self,
        model: str | os.PathLike | Config,
        weights: str | os.PathLike,
        boxes: str | None = None,
        recognizer: str | None = None,
        scorer: str | None = None,
        threshold: float = 0.5,
        gallery: str | None = None,
        top: int = 5,
        backend: str = 'torch',
        device: str = 'auto',
        tracker: dict | None = None,
        crop_size: int = 128,
        flow: str = 'dis',
        flow_checkpoint: str | None = None,
        subtract_median: bool = False,
        batch_size: int = 64,
        scope: str = 'vpd_mm',
        show_progress: bool = False,
    ) -> None:
        if model is None or weights is None:
            raise UserError('VPDInferencer needs the config of a student (model) and its checkpoint (weights)')
        if batch_size < 1:
            raise UserError(f'batch size must be 1 or more, found {batch_size}')
        self.backend, self.batch_size = backend, batch_size
        self._real_device = device = pick_device(device)
        cfg = model if isinstance(model, Config) else read_model_config(model)
        super().__init__(cfg, str(weights), self._real_device, scope, show_progress)
        dims = self.model.student.out_dims
        cropper = SquareCropper(crop_size)
        estimator = FlowEstimator(flow, subtract_median=subtract_median, checkpoint=flow_checkpoint, device=device)
        self.chain = StudentChain(self.extractor, cropper, estimator)
        rules = dict(tracker or {})
        if boxes is None:
            from ..synthetic.checkpoints import packed_source

            boxes = packed_source('detector')
        offline_rules = {k: v for k, v in rules.items() if k not in ONLINE_RULES}
        self._settings = PrepareSettings(Path(), boxes, device=self._real_device, tracker=offline_rules)
        self._models = Models(self._settings)
        self._offline = OfflineChain(self.chain, self._settings, self._models)
        self._online = OnlineChain(self.chain, self._settings, self._models, rules, self.joints)
        self._answers = SequenceAnswers(
            Recognizer(recognizer, dims, self._real_device) if recognizer else None,
            Scorer(scorer, dims, threshold, self._real_device) if scorer else None,
            Gallery(gallery, dims, top) if gallery else None,
        )

    def _init_model(self, cfg: Config, weights: str, device: str = 'cpu') -> PoseDistiller:
        init_default_scope(cfg.get('default_scope', self.scope))
        model, self._draws = load_student(cfg, weights, self.backend, device)
        return model

    def _init_pipeline(self, cfg: Config) -> Any:
        pipeline = (cfg.get('test_dataloader') or cfg.val_dataloader).dataset.pipeline
        device = 'cpu' if self.backend == 'onnxruntime' else self._real_device
        self.extractor = FeatureExtractor(self.model, pipeline, device, self.batch_size, half=device.startswith('cuda'))
        return self.extractor.pipeline

    def _init_collate(self, cfg: Config) -> Any:
        return torch.stack

    def _init_visualizer(self, cfg: Config) -> None:
        return None

    def load_detector(self) -> None:
        """Build the detector now instead of at the first video.

        Raises:
            UserError: it cannot be built.
        """
        if self._settings.boxes.startswith('mmdet:'):
            _ = self._models.detector

    def __call__(
        self,
        inputs: Input | list | tuple,
        return_datasamples: bool = False,
        batch_size: int | None = None,
        **kwargs,
    ) -> dict:
        """Go through videos.

        Args:
            inputs: A path, a folder (of videos, or of the pictures of one
                video), an array (T, H, W, 3) uint8 RGB, an iterator of RGB
                frames, a camera index (or ``'camera:0'``), or a list of these.
            return_datasamples: Data samples instead of dicts.
            batch_size: Crops a forward pass; None: that of the constructor.
            kwargs: ``fps``: resample files to it, or what arrays, iterators
                and cameras have; ``bboxes``: an ``AthleteTrack`` or (T, 4) an
                input; ``online``; ``show``, ``wait_time`` (s),
                ``return_vis``, ``vis_out_dir`` (writes ``<name>.mp4``);
                ``pred_out_dir`` (writes ``<name>.json``,
                ``tracks/<name>.npz``, ``features/<name>.npz``).

        Returns:
            ``predictions``: a dict an athlete: what the JSON holds, and as
            arrays ``frame_inds`` (T,), ``boxes`` (T, 4), ``box_scores`` (T,),
            ``feature_inds`` (T',), ``feats`` (T', 2, D), ``frame_scores``
            (T'', C) at the scorer's rate.  ``visualization``: a film's path
            (or with ``return_vis`` a list of pictures) an input, else None.

        Raises:
            UserError: an input cannot be read, nobody is found, or there is no display to show on.
        """
        preprocess, forward, visualize, postprocess = self._dispatch_kwargs(**kwargs)
        folders = visualize.get('vis_out_dir') or '', postprocess.get('pred_out_dir') or ''
        given = list_inputs(inputs, folders)
        check_targets(given, *folders)
        boxes = boxes_of(forward.pop('bboxes', None), len(given))
        results: dict = {'predictions': [], 'visualization': []}
        for source, own in zip(self.preprocess(given, **preprocess), boxes, strict=True):
            canvas = Canvas(
                Path(folders[0]) / f'{source_name(source)}.mp4' if folders[0] else None,
                source.fps,
                source_name(source),
                visualize.get('show', False),
                visualize.get('wait_time', 0.0),
                visualize.get('return_vis', False),
            )
            with canvas:
                samples = self.forward(source, bboxes=own, batch_size=batch_size, canvas=canvas, **forward)
                if not isinstance(source, FrameStream):
                    self.visualize(source, samples, canvas)
            one = self.postprocess(samples, canvas.result, return_datasamples, **postprocess)
            results['predictions'] += one['predictions']
            results['visualization'] += one['visualization']
        return results

    def stream(
        self,
        inputs: Input,
        batch_size: int = 1,
        bboxes: Boxes | None = None,
        fps: float | None = None,
        show: bool = False,
        wait_time: float = 0.0,
        vis_out_dir: str = '',
    ) -> Answers:
        """Answer frame by frame, online; memory does not grow.

        Latency: the answer to frame t comes before frame t + ``batch_size`` is
        read; with 1 (the default) before the next frame is.  Larger batches
        are faster.  The athlete's first sight in a shot has no box (ByteTrack
        believes the second one).

        Args:
            inputs: One of those of :meth:`__call__`, no list.
            batch_size: Frames a forward pass of detector and student.
            bboxes, fps, show, wait_time, vis_out_dir: As there.

        Raises:
            UserError: as there; one athlete only.
        """
        given = list_inputs(inputs, [vis_out_dir])
        if len(given) != 1:
            raise UserError(f'stream takes one input, found {len(given)}')
        check_targets(given, vis_out_dir)
        source = open_source(given[0], fps)
        path = Path(vis_out_dir) / f'{source_name(source)}.mp4' if vis_out_dir else None
        with Canvas(path, source.fps, source_name(source), show, wait_time, False) as canvas:
            yield from self._painted(self._online(source, batch_size, one_track(bboxes)), canvas)

    def preprocess(self, inputs: list[Input], batch_size: int = 1, fps: float | None = None) -> Iterator[FrameSource]:
        """Open the inputs one after the other."""
        for number, item in enumerate(inputs):
            yield open_source(item, fps, number)

    def forward(
        self,
        inputs: FrameSource,
        bboxes: AthleteTrack | None = None,
        online: bool = False,
        batch_size: int | None = None,
        canvas: Canvas | None = None,
    ) -> list[BaseDataElement]:
        """One data sample an athlete of one opened input.

        Meta: ``name``, ``source``, ``athlete``, ``fps``, ``num_frames``,
        ``width``, ``height``, ``mode``.  Data: ``track`` (AthleteTrack),
        ``features`` (FeatureSequence), ``segments`` (list of ``Segment``),
        ``frame_scores`` (T, C) where there is a scorer.

        Raises:
            UserError: nobody is found, or the input cannot be read.
        """
        size = batch_size or self.batch_size
        if online or isinstance(inputs, FrameStream):
            size = min(size, self._models.frames_per_batch(inputs))  # whole frames wait here, not crops
            answers = self._online(inputs, size, bboxes)
            if canvas is not None and isinstance(inputs, FrameStream):
                answers = self._painted(answers, canvas)
            with closing(answers):
                track, features, num_frames = collect(answers)
            if not len(track):
                raise nobody_found(inputs, num_frames, self._settings.boxes)
            found, mode = {'': (track, features)}, 'online'
        else:
            with progress_bars(self.show_progress) as bars:
                found, num_frames = self._offline(inputs, size, bboxes, bars)
            mode = 'offline'
        samples = [make_sample(inputs, name, *pair, num_frames, mode) for name, pair in found.items()]
        for sample in samples:
            self._answers(sample)
        return samples

    def joints(self, feats: np.ndarray) -> np.ndarray | None:
        """(N, 2, D) features to the normalised joints (N, 13, 2) that the decoder reads from them, as seen.

        None where the student does not describe 2D joints (D is not 26) or its checkpoint has no decoder.
        """
        return self.extractor.decode(feats).reshape(len(feats), -1, 2) if self._draws else None

    def _painted(self, answers: Answers, canvas: Canvas) -> Answers:
        for answer in answers:
            if canvas.wanted:
                seen = [] if answer.box is None else [(answer.box, answer.joints)]
                canvas.paint(draw_answer(answer.rgb, seen, [f'{answer.frame_ind}']))
            yield answer

    def visualize(self, inputs: FrameSource, preds: Sequence[BaseDataElement], canvas: Canvas) -> None:
        """Draw the samples of one input into its frames, in another pass over them."""
        if not canvas.wanted:
            return
        for frame_ind, rgb in inputs:
            athletes, labels, lines = [], [], [f'{frame_ind}']
            for sample in preds:
                captions = [caption(s) for s in sample.segments if s.start_frame <= frame_ind < s.end_frame]
                box = box_at(sample.track, frame_ind)
                if box is None:
                    lines += captions
                    continue
                row = int(np.searchsorted(sample.features.frame_inds, frame_ind))
                known = row < len(sample.features) and sample.features.frame_inds[row] == frame_ind
                joints = self.joints(sample.features.feats[row : row + 1]) if known else None
                athletes.append((box, None if joints is None else joints[0]))
                labels.append(', '.join(captions))
            canvas.paint(draw_answer(rgb, athletes, lines, labels))

    def postprocess(
        self,
        preds: Sequence[BaseDataElement],
        visualization: Any,
        return_datasamples: bool = False,
        pred_out_dir: str | os.PathLike = '',
    ) -> dict:
        """Write files, and make dicts of the samples unless they are wanted themselves."""
        if pred_out_dir:
            for sample in preds:
                save_sample(sample, Path(pred_out_dir))
        predictions = list(preds) if return_datasamples else [prediction(sample) for sample in preds]
        return {'predictions': predictions, 'visualization': [visualization]}
