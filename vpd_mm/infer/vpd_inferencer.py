"""The inferencer: video in; athlete, features, labels, intervals, neighbours out."""

import logging
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from ..athlete import FlowEstimator, FrameSource, SquareCropper
from ..athlete.recipe import Recipe
from ..athlete.track_rules import ONLINE_RULES, check_rules
from ..compat import find_latest_checkpoint
from ..distill import PoseDistiller
from ..distill.trained_videos import TrainedVideos, video_digest
from ..engine.console import PlainConsole
from ..engine.model_files import find_one_trained
from ..engine.model_zoo import pick_device
from ..engine.progress import ProgressBars
from ..errors import UserError, listed
from ..features.feature_extractor import FeatureExtractor, run_source
from ..files import input_name, list_folder, read_text
from ..prepare.models import Models
from ..prepare.options import DEFAULT_BOXES, PrepareSettings
from ..prepare.recipe import describe_boxes
from ..prepare.tracking_pass import no_athlete_error
from ..registry import INFERENCERS
from ..structures import AthleteTrack
from ..teacher import JointFeature
from .frame_source import Entry, FrameStream, Input, list_inputs, open_source
from .onnx_backend import load_model, read_model_settings
from .overlay import Paint, draw_answer, open_canvas
from .passes import FrameResults, StudentPass, join_results, offline_pass, online_pass, row_of
from .results import (
    Boxes,
    check_outputs,
    make_sample,
    remove_former,
    save_sample,
    to_dict,
    to_track,
    to_tracks,
)
from .segments import Gallery, Recognizer, Scorer, Segment


def only_student() -> str:
    """Find the run folder of the only distillation in work_dirs and runs; UserError without one, and for several."""
    notes = [note for folder in ('work_dirs', 'runs') for note in list_folder(folder, '**/last_checkpoint')]
    students = [
        str(folder)
        for folder in {note.parent.resolve(): note.parent for note in notes}.values()  # work_dirs may be a link to runs
        if find_latest_checkpoint(folder)
        and any('PoseDistiller' in read_text(path) for path in list_folder(folder, '*.py'))
    ]
    if len(students) == 1:
        return students[0]
    if students:
        raise UserError(f'several students were trained here; pass one of them: --student {listed(students)}')
    raise UserError(
        'no student: none was trained in work_dirs or runs; pass --student RUN_FOLDER (train one with '
        'tools/train.py and a config of configs/distill)'
    )


@INFERENCERS.register_module()
class VPDInferencer(BaseInferencer):
    """Run a student on videos, without a pose model; the interface is that of ``MMPoseInferencer``.

    Two modes:

    - *offline* (files, folders, arrays): one pass tracks the athlete as ``tools/prepare.py`` does, a second one
      makes the features.  The numbers equal those of ``tools/extract_features.py`` on a corpus.
    - *online* (iterators, cameras, ``online=True``, :meth:`stream`): one pass; the athlete is chosen in every frame
      (``OnlineTracker``), and earlier choices stay.

    Memory does not grow with the video but for the result: 28 bytes per box and 8 D per feature (:meth:`stream`: none).

    Args:
        model: Run folder of the student, or its distillation config: path, or ``Config``.
        weights: Checkpoint of the student; None: the best one of the run folder.  An ``.onnx`` file of
            ``tools/export.py`` runs in onnxruntime, as ``model`` too.
        boxes: As ``tools/prepare.py --boxes``: ``mmdet:<config>[:<checkpoint>]``, ``mediapipe``, ``full``, or a folder
            of box files.  The detector is loaded when the first video without ``bboxes`` needs it.
        recognizer: Run folder or ``CONFIG:CHECKPOINT`` of a ``SequenceRecognizer``.
        scorer, threshold: Run folder or ``CONFIG:CHECKPOINT[,CHECKPOINT...]`` of ``FrameScorer`` models, and their
            threshold (None: as recorded in the checkpoint, else 0.5).
        gallery, top: ``CORPUS:FEATURES[:SPLIT]`` of labelled actions, and neighbours per interval.
        tracker: Rules of the trackers, as ``tools/prepare.py --track``.
        crop_size, flow, flow_checkpoint, subtract_median: As ``tools/prepare.py``.
        batch_size: Crops per forward pass.
        show_progress: Show progress bars on stderr.
        overwrite: Replace files in ``vis_out_dir`` and ``pred_out_dir`` that this tool did not write.

    Boxes, tracker, crops and flow that are None, and the rate of video files, are those of the student's corpus, which
    its checkpoint records (:class:`~vpd_mm.athlete.recipe.Recipe`); boxes that came from files become
    ``mmdet:rtmdet-m``.  A line is logged where a given value differs, and where nothing is recorded.

    Raises UserError: a file is missing or does not fit, or an option is not valid.

    Example:
        >>> inferencer = VPDInferencer('work_dirs/student', recognizer='work_dirs/recognizer')
        >>> inferencer('jump.mp4', vis_out_dir='out', pred_out_dir='out')['predictions'][0]['segments']
        >>> for result in inferencer.stream(0):  # camera
        ...     print(result.frame_ind, result.box)
    """

    preprocess_kwargs: set = {'fps'}
    forward_kwargs: set = {'bboxes', 'online'}
    visualize_kwargs: set = {'return_vis', 'show', 'vis_out_dir'}
    postprocess_kwargs: set = {'pred_out_dir'}

    def __init__(
        self,
        model: str | os.PathLike | Config,
        weights: str | os.PathLike | None = None,
        boxes: str | None = None,
        recognizer: str | None = None,
        scorer: str | None = None,
        threshold: float | None = None,
        gallery: str | None = None,
        top: int = 5,
        device: str = 'auto',
        tracker: dict | None = None,
        crop_size: int | None = None,
        flow: str | None = None,
        flow_checkpoint: str | None = None,
        subtract_median: bool | None = None,
        batch_size: int = 64,
        show_progress: bool = False,
        overwrite: bool = False,
    ) -> None:
        if batch_size < 1:
            raise UserError(f'batch size must be 1 or more, found {batch_size}')
        check_rules(tracker or {}, online=(tracker or {}).get('method') != 'path')
        self.batch_size, self.overwrite = batch_size, overwrite
        device = pick_device(device)
        if isinstance(model, Config):
            cfg, weights = model, weights or ''
        else:
            model, weights = find_one_trained(model, 'student', weights or '')
            cfg = read_model_settings(model, weights)
        super().__init__(cfg, str(weights), device, 'vpd_mm', show_progress)
        dims = self.model.student.out_dims
        has_joints = dims == JointFeature.dims and not (cfg.model.get('decoder') and self.model.decoder is None)
        recipe = self.recipe or Recipe()
        given = {'size': crop_size, 'flow': flow, 'subtract_median': subtract_median, 'track': tracker or None}
        chosen, lines = recipe.choose(given)
        if self.recipe is None:
            lines = [f'{weights}: does not record how its corpus was made, which the options must repeat: {chosen}']
        if chosen['flow'] == 'raft' and flow_checkpoint is None:
            flow_checkpoint = recipe.flow_checkpoint()
        estimator = FlowEstimator(chosen['flow'], chosen['subtract_median'], flow_checkpoint, device)
        self.student = StudentPass(self.extractor, SquareCropper(chosen['size']), estimator, has_joints)
        boxes, line = self._choose_boxes(boxes, recipe)
        for text in filter(None, [*lines, line]):
            print_log(text, 'current')
        rules = {k: v for k, v in chosen['track'].items() if k not in ONLINE_RULES}
        self._models = Models(PrepareSettings(Path(), boxes, device=device, tracker=rules))
        # the path method, where the student's corpus was made with it, has no online form
        self._rules = chosen['track'] if tracker or rules.get('method') != 'path' else {}
        known = not str(weights).endswith('.onnx') or self._sha256
        source = run_source(cfg, weights, self._sha256) if (recognizer or scorer or gallery) and known else None
        self.recognizer = Recognizer(recognizer, dims, device, source) if recognizer else None
        self.scorer = Scorer(scorer, dims, threshold, device, source) if scorer else None
        self.gallery = Gallery(gallery, dims, top, source) if gallery else None

    def _choose_boxes(self, boxes: str | None, recipe: Recipe) -> tuple[str, str]:
        """Return the boxes as given, else those of the recipe, else the default, and a line about it."""
        self._default_boxes, self._boxes_error = False, None
        if boxes is not None:
            name, weights = describe_boxes(boxes)
            of_weights, of_own = (file[1] if file else '' for file in (weights, recipe.boxes_weights))
            same = recipe.boxes is None or (name, of_weights) == (recipe.boxes, of_own)
            return boxes, '' if same else f"boxes {boxes}: given; the student's corpus was made with {recipe.boxes}"
        try:
            own = recipe.boxes_option()
        except UserError as e:  # raised where boxes are needed
            self._boxes_error = e
            return 'full', ''
        if own is not None:
            return own, f"boxes {own}: as in the student's corpus"
        self._default_boxes = True
        known = f"the student's corpus was made with {recipe.boxes}" if recipe.boxes else 'the default'
        return DEFAULT_BOXES, f'boxes {DEFAULT_BOXES}: {known}; --boxes selects others'

    def _init_model(self, cfg: Config, weights: str, device: str = 'cpu') -> PoseDistiller:
        self._student_device = 'cpu' if weights.endswith('.onnx') else device
        model, metadata = load_model(cfg, weights, PoseDistiller, device)
        self._sha256 = metadata.get('sha256')  # of the checkpoint that was exported
        self.recipe = Recipe.from_json(metadata.get('recipe'), weights)
        self.trained_on = TrainedVideos.from_meta(metadata, weights)
        return model

    def _init_pipeline(self, cfg: Config) -> Any:
        pipeline = (cfg.get('test_dataloader') or cfg.val_dataloader).dataset.pipeline
        device = self._student_device
        self.extractor = FeatureExtractor(self.model, pipeline, device, self.batch_size, half=device.startswith('cuda'))
        return self.extractor.pipeline

    def _init_collate(self, cfg: Config) -> Any:
        return torch.stack

    def _init_visualizer(self, cfg: Config) -> None:
        return None

    def load_detector(self) -> None:
        """Build the detector now instead of at the first video; UserError where it cannot be built."""
        if self._boxes_error is not None:
            raise self._boxes_error
        if not self._models.settings.boxes_by_model:
            return
        try:
            _ = self._models.detector
        except UserError as e:
            if not self._default_boxes:
                raise
            raise UserError(
                f'{e}; or pass other boxes than the default {DEFAULT_BOXES}: mmdet:<config>[:<checkpoint>], mediapipe, '
                'full, or a folder of box files'
            ) from e

    def __call__(
        self,
        inputs: Input | list | tuple,
        return_datasamples: bool = False,
        batch_size: int | None = None,
        **kwargs,
    ) -> dict:
        """Process videos.

        Args:
            inputs: A path, a folder (of videos, or of the images of one video), an array (T, H, W, 3) uint8 RGB, an
                iterator of RGB frames, a camera index (or ``'camera:0'``), or a list of these.
            return_datasamples: Return data samples instead of dicts.
            batch_size: Crops per forward pass; None: that of the constructor.
            kwargs: ``fps``: rate to which files are resampled, and rate of arrays, iterators and cameras;
                ``bboxes``: an ``AthleteTrack`` or (T, 4) per input; ``online``; ``show``, ``return_vis``,
                ``vis_out_dir`` (writes ``<name>.mp4``); ``pred_out_dir`` (writes ``<name>.json``,
                ``tracks/<name>.npz``, ``features/<name>.npz``).

        Returns:
            ``predictions``: a dict per athlete with the content of the JSON file and the arrays ``frame_inds`` (T,),
            ``boxes`` (T, 4), ``box_scores`` (T,), ``feature_inds`` (T',), ``feats`` (T', 2, D), ``frame_scores``
            (T'', C) at the scorer's rate.  ``visualization``: the path of the drawn video (with ``return_vis`` a
            list of images) per input, else None.

        Raises UserError: an input cannot be read, no athlete is found, or there is no display to show on.
        """
        preprocess, forward, visualize, postprocess = self._dispatch_kwargs(**kwargs)
        dirs = visualize.get('vis_out_dir', ''), postprocess.get('pred_out_dir', '')
        entries = list_inputs(inputs, dirs)
        for refused in entries.values():
            if isinstance(refused, UserError):
                raise refused
        check_outputs(entries, *dirs, overwrite=self.overwrite)
        tracks = to_tracks(forward.pop('bboxes', None), len(entries))
        results: dict = {'predictions': [], 'visualization': []}
        for (name, item), track in zip(entries.items(), tracks, strict=True):
            source = open_source(name, item, self._rate(item, **preprocess))
            with open_canvas(name, source.fps, **visualize) as (paint, drawn):
                paint_online = paint if isinstance(source, FrameStream) else None  # read once, and drawn meanwhile
                samples = self.forward(source, track, batch_size=batch_size, paint=paint_online, **forward)
                if paint is not None and paint_online is None:
                    self.visualize(source, samples, paint)
            for key, values in self.postprocess(samples, drawn, return_datasamples, **postprocess).items():
                results[key] += values
        return results

    def stream(
        self,
        inputs: Input,
        batch_size: int = 1,
        bboxes: Boxes | None = None,
        fps: float | None = None,
        show: bool = False,
        vis_out_dir: str | os.PathLike = '',
    ) -> FrameResults:
        """Yield a ``FrameResult`` per frame, online; memory does not grow.

        Latency: the result of frame t comes before frame t + ``batch_size`` is read, with 1 (the default) before the
        next frame is; where the whole image changes, two more frames are read to tell a cut from a camera flash.
        Larger batches are faster.  The first frame of an athlete in a shot has no box: ByteTrack
        confirms a track with its second detection.

        Args:
            inputs: One input of :meth:`__call__`, no list.
            batch_size: Frames per forward pass of detector and student.
            bboxes, fps, show, vis_out_dir: As in :meth:`__call__`.

        Raises UserError: as :meth:`__call__`; box files with several athletes.
        """
        entries = list_inputs(inputs, [vis_out_dir])
        if len(entries) != 1:
            raise UserError(f'stream takes one input, found {len(entries)}')
        check_outputs(entries, vis_out_dir, overwrite=self.overwrite)
        [(name, item)] = entries.items()
        source = open_source(name, item, self._rate(item, fps))
        with open_canvas(name, source.fps, vis_out_dir, show) as (paint, _):
            yield from self._online(source, batch_size, to_track(bboxes), paint)

    def forward(
        self,
        inputs: FrameSource,
        bboxes: AthleteTrack | None = None,
        online: bool = False,
        batch_size: int | None = None,
        paint: Paint | None = None,
    ) -> list[BaseDataElement]:
        """Make a data sample per athlete of one opened input; ``paint`` takes the frames of the online pass.

        Meta: ``name``, ``source``, ``athlete``, ``fps``, ``num_frames``, ``width``, ``height``, ``mode``.  Data:
        ``track`` (AthleteTrack), ``features`` (FeatureSequence), ``times`` (FrameTimes), ``segments`` (list of
        ``Segment``), ``frame_scores`` (T, C) with a scorer.  Raises UserError: no athlete is found, or the input cannot
        be read.
        """
        size = batch_size or self.batch_size
        if online or isinstance(inputs, FrameStream):
            mode = 'online'
            size = min(size, self._models.frames_per_batch(inputs))  # the batch holds whole frames, not crops
            with closing(self._online(inputs, size, bboxes, paint)) as it:
                track, features, num_frames = join_results(it)
            if not len(track):
                raise no_athlete_error(inputs, num_frames, self._models.settings.boxes)
            athletes = {'': (track, features)}
        else:
            mode = 'offline'
            if bboxes is None:
                self.load_detector()
            with ProgressBars(None if self.show_progress else PlainConsole(quiet=True, force_terminal=False)) as bars:
                both = [bars.add(f'{input_name(inputs.path)}: {step}', 'frames') for step in ('track', 'features')]
                athletes, num_frames = offline_pass(self.student, self._models, inputs, size, bboxes, *both)
        samples = [make_sample(inputs, name, *pair, num_frames, mode) for name, pair in athletes.items()]
        seen = self._is_known(Path(inputs.path))
        for sample in samples:
            sample.set_metainfo({'student_trained_on_video': seen})
            self._add_segments(sample)
        return samples

    def _is_known(self, path: Path) -> bool | None:
        """Tell, and log, if the student was trained on a video file; None where it is unknown."""
        if self.trained_on is None or not path.is_file():
            return None
        digest = video_digest(path, self.recipe.fps if self.recipe else None)
        seen = self.trained_on.has(input_name(path), digest)
        if seen:
            text = 'the student was trained on this video; its results on it say less about new videos'
            print_log(f'{path}: {text}', 'current', logging.WARNING)
        return seen

    def joints(self, feats: np.ndarray) -> np.ndarray | None:
        """Decode (N, 2, D) features to normalised joints (N, 13, 2) of the original view.

        None where the student does not describe 2D joints (D is not 26) or its checkpoint has no decoder.
        """
        return self.student.joints(feats)

    def _rate(self, item: Entry, fps: float | None = None) -> float | None:
        """Rate of an input: as given, else of video files as in the student's corpus."""
        if self.recipe is None or not isinstance(item, Path) or item.is_dir():
            return fps
        if fps is not None and fps != self.recipe.fps:
            own = 'frames as decoded' if self.recipe.fps is None else f'{self.recipe.fps:g}'
            print_log(f"fps {fps:g}: given; the student's corpus was made with {own}", 'current')
        return self.recipe.fps if fps is None else fps

    def _add_segments(self, sample: BaseDataElement) -> None:
        """Find the intervals, then label them; without a scorer the whole track is one interval."""
        features, times, num_frames = sample.features, sample.times, sample.num_frames
        segments: list[Segment] = []
        if self.scorer is not None:
            scores, segments = self.scorer(features, times, num_frames)
            sample.set_field(scores, 'frame_scores')
        elif (self.recognizer or self.gallery) and len(features):
            segments = [Segment(int(features.frame_inds[0]), int(features.frame_inds[-1]) + 1)]
        if self.recognizer is not None:
            self.recognizer(features, segments, times, num_frames)
        if self.gallery is not None:
            self.gallery(features, segments, times, num_frames, sample.name)
        sample.set_field(segments, 'segments')

    def _online(
        self, source: FrameSource, batch_size: int, track: AthleteTrack | None, paint: Paint | None
    ) -> FrameResults:
        """Yield the results of the online pass and draw them."""
        if track is None:
            self.load_detector()
        for result in online_pass(self.student, self._models, self._rules, source, batch_size, track):
            if paint is not None:
                athletes = [] if result.box is None else [(result.box, result.joints)]
                seconds = source.times.seconds(result.frame_ind)
                paint(draw_answer(result.rgb, athletes, [f'frame {result.frame_ind}, {seconds:.2f} s']), seconds)
            yield result

    def visualize(self, inputs: FrameSource, preds: Sequence[BaseDataElement], paint: Paint) -> None:
        """Draw the samples of one input into its frames, in another pass over them."""
        for frame_ind, rgb in inputs:
            seconds = inputs.times.seconds(frame_ind)
            athletes, labels, lines = [], [], [f'frame {frame_ind}, {seconds:.2f} s']
            for sample in preds:
                captions = [s.caption for s in sample.segments if s.start_frame <= frame_ind < s.end_frame]
                row, feature = row_of(sample.track, frame_ind), row_of(sample.features, frame_ind)
                if row is None:
                    lines += captions
                    continue
                joints = None if feature is None else self.joints(sample.features.feats[feature : feature + 1])
                athletes.append((sample.track.boxes[row], None if joints is None else joints[0]))
                labels.append(', '.join(captions))
            paint(draw_answer(rgb, athletes, lines, labels), seconds)

    def postprocess(
        self,
        preds: Sequence[BaseDataElement],
        visualization: Any,
        return_datasamples: bool = False,
        pred_out_dir: str | os.PathLike = '',
    ) -> dict:
        """Write the files and convert the samples to dicts."""
        if pred_out_dir:
            for sample in preds:
                save_sample(sample, Path(pred_out_dir), self.overwrite)
            remove_former(preds, Path(pred_out_dir))
        predictions = list(preds) if return_datasamples else [to_dict(sample) for sample in preds]
        return {'predictions': predictions, 'visualization': [visualization]}
