"""Extract the features of every frame with a trained student, original and flipped (paper 4)."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from torch.utils.data import DataLoader, Dataset

from ..athlete.recipe import Recipe
from ..corpus import Corpus, CropStore, FeatureStore
from ..corpus.crop_store import CACHED_RECORDS
from ..corpus.stale_files import CorpusInputs, Source, crops_of, digest, refresh_features
from ..distill import PoseDistiller
from ..distill.crop_batch import CropBatch, collate_crops
from ..distill.drawn_transforms import fused
from ..distill.pose_distiller import mean_of_views, mirror_crops
from ..distill.trained_videos import TrainedVideos
from ..engine.cli import num_cores
from ..engine.config import config_name
from ..engine.locks import file_lock
from ..engine.model_files import build_model, find_one_trained, load_weights
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError, counted
from ..files import file_digest, npz_path
from ..structures import FeatureSequence
from ..structures.npz_io import read_source
from ..teacher import JointFeature


class Extractor(Protocol):
    """Interface of everything that makes the features of videos from their crops."""

    def extract_all(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[str, FeatureSequence]]: ...


class FeatureExtractor:
    """Run a trained student over all crops of a video.

    A second thread decodes the next crops while the network computes; for a GPU, as many processes as there are cores.

    Args:
        model: A trained :class:`PoseDistiller`; moved to ``device``.
        pipeline: Transforms of one crop (the test pipeline of the config); they may not be random.
        device: Device of the network.
        batch_size: Frames per batch; the network gets both views of each.
        half: Half precision (autocast), for GPUs.
        recipe, trained_on: How the student's corpus was made, and its training videos; None where its checkpoint does
            not record it.
        student: Its run folder or CONFIG:CHECKPOINT, which the features record; '' = unknown.
    """

    def __init__(
        self,
        model: PoseDistiller,
        pipeline: Sequence[dict | Callable],
        device: str = 'cpu',
        batch_size: int = 64,
        half: bool = False,
        recipe: Recipe | None = None,
        trained_on: TrainedVideos | None = None,
        student: str = '',
    ) -> None:
        self.model = model.to(device).eval()
        self.pipeline = Compose(fused(Compose(list(pipeline)).transforms))
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.half = half
        self.recipe, self.trained_on, self.student = recipe, trained_on, student

    def extract(self, store: CropStore, video: str) -> FeatureSequence:
        """Return the features of every frame with a crop, (T, 2, D) = [original, flipped]; all scores are 1."""
        ((_, sequence),) = self.extract_all(store, [video])
        return sequence

    def extract_all(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[str, FeatureSequence]]:
        """Yield (video, features) in order; the crops of the next video are decoded ahead."""
        for (_, video), batches in groupby(self.batches(store, videos), key=lambda batch: batch[0]):
            parts = [self._forward(inputs) for _, inputs in batches if inputs is not None]
            feats = np.concatenate([np.zeros((0, 2, self.model.student.out_dims), np.float32), *parts])
            if not np.isfinite(feats).all():
                raise UserError(f'{video}: the student gives NaN; its training diverged, use an earlier checkpoint')
            yield video, FeatureSequence(store.header(video).frame_inds, feats, np.ones(len(feats), np.float32))

    def features(self, samples: list[dict]) -> np.ndarray:
        """Return the features (N, 2, D) float32 of N samples as the pipeline gives them."""
        return self._forward(self._both_views(collate_crops(samples)))

    @torch.inference_mode()
    def _both_views(self, batch: dict) -> torch.Tensor:
        """(2 N, ...) on the device, normalised: original, then flipped."""
        crops = self.model.data_preprocessor(batch)['inputs']
        return torch.cat([crops, mirror_crops(crops)])

    @torch.inference_mode()
    def _forward(self, views: torch.Tensor) -> np.ndarray:
        with torch.autocast(self.device.type) if self.half else nullcontext():
            feats = self.model(views, mode='tensor')
        return feats.float().reshape(2, len(views) // 2, -1).transpose(0, 1).cpu().numpy()

    def decode(self, feats: np.ndarray) -> np.ndarray:
        """Decode features (T, V, D) to teacher features p_t (T, D) of the original view.

        2D joints are the mean of both views, as with ``flip_test``.
        """
        return self.decode_motion(feats)[:, : self.model.student.out_dims]

    @torch.inference_mode()
    def decode_motion(self, feats: np.ndarray) -> np.ndarray:
        """Decode as :meth:`decode`, to (T, 2 D) with p_t - p_(t-1) where the student has learned it."""
        views = torch.from_numpy(feats).to(self.device).unbind(1)
        original, *flipped = (self.model.decode(view) for view in views)
        if flipped and self.model.student.out_dims == JointFeature.dims:
            original = mean_of_views(original, flipped[0])
        return original.cpu().numpy()

    def batches(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[tuple[int, str], torch.Tensor | None]]:
        """Yield number and name of the video, and input of the network, per batch; the next batch is loaded ahead.

        A video without crops has one batch, None.
        """

        frames = (
            (number, video, inds[start : start + self.batch_size])
            for number, video in enumerate(videos)
            for inds in [store.header(video).frame_inds.tolist()]
            for start in range(0, max(len(inds), 1), self.batch_size)
        )
        num_workers = 0 if self.device.type == 'cpu' else max(1, num_cores() - 1)
        batches = iter(DataLoader(_Crops(store, self.pipeline), None, sampler=frames, num_workers=num_workers))

        def load() -> tuple[tuple[int, str], torch.Tensor | None] | None:
            for number, video, batch in batches:
                if isinstance(batch, UserError):
                    raise batch
                return (number, video), None if batch is None else self._both_views(batch)
            return None

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(load)
            while (batch := ahead.result()) is not None:
                ahead = pool.submit(load)
                yield batch


def _student(cfg: Config, checkpoint: Path) -> str:
    """The run folder that stands for a checkpoint, else CONFIG:CHECKPOINT."""
    with suppress(UserError):
        if Path(find_one_trained(checkpoint.parent)[1]) == checkpoint:
            return str(checkpoint.parent)
    return f'{Path(cfg.filename).resolve()}:{checkpoint}' if cfg.filename else ''


class _Crops(Dataset):
    """Map (number, video, frames) to (number, video, collated samples; None without frames, or the error)."""

    def __init__(self, store: CropStore, pipeline: Compose) -> None:
        self.store, self.pipeline = store, pipeline

    def __getitem__(self, item: tuple[int, str, list[int]]) -> tuple[int, str, dict | UserError | None]:
        number, video, frame_inds = item
        batch = CropBatch(len(frame_inds))
        samples = [{'store': self.store, 'video': video, 'frame': i, 'index': i, 'rng': None} for i in frame_inds]
        try:
            for start in range(0, len(samples), CACHED_RECORDS):
                batch.add(samples[start : start + CACHED_RECORDS], self.pipeline.transforms)
        except UserError as e:  # a loader process would send its traceback as text
            return number, video, e
        return number, video, collate_crops(batch) if batch else None


def build_extractor(cfg: Config, checkpoint: str | os.PathLike, **kwargs) -> FeatureExtractor:
    """Build the extractor of a distillation config and its checkpoint.

    Raises:
        UserError: the config is not of a distillation, or the checkpoint is missing or of another model.
    """
    model = build_model(cfg)
    if not isinstance(model, PoseDistiller):
        raise UserError(f'{cfg.filename}: its model is {type(model).__name__}; features come from a PoseDistiller')
    meta, where = load_weights(model, checkpoint, cfg), f'checkpoint {checkpoint}'
    kwargs |= {
        'recipe': Recipe.from_json(meta.get('recipe'), where),
        'trained_on': TrainedVideos.from_meta(meta, where),
        'student': _student(cfg, Path(checkpoint).resolve()),
    }
    return FeatureExtractor(model, cfg.test_dataloader.dataset.pipeline, **kwargs)


def extract_corpus(
    extractor: Extractor,
    corpus: Corpus,
    out: Path,
    made_by: Source,
    rank: int = 0,
    world_size: int = 1,
    on_progress: OnProgress = no_progress,
    overwrite: bool = False,
) -> int:
    """Write ``out/<video>.npz`` for every video with crops; files are kept unless crops or model have changed.

    Process ``rank`` of ``world_size`` takes its share of the videos.

    Args:
        made_by: Source of the run (see :func:`run_source`).
        on_progress: Called with (videos done, number of videos).
        overwrite: Make the files of another run again.

    Returns:
        Number of files written.

    Raises:
        UserError: the folder was made by another run, without ``overwrite``, or is written by one now; or the crops of
            some videos are damaged or of a former track: the features of all others are written first.
    """
    store, of_corpus, failures = CropStore(corpus.crops_dir), CorpusInputs(corpus), []
    trained_on: TrainedVideos | None = getattr(extractor, 'trained_on', None)
    student = {'student': spec} if (spec := getattr(extractor, 'student', '')) else {}
    inputs = {video: of_corpus.of(crops_of(video)) for video in store.videos()}
    sources = refresh_features(out, made_by, inputs, overwrite)
    videos = []
    for video in store.videos()[rank::world_size]:
        if video in sources:
            try:
                of_corpus.check(crops_of(video))
                videos.append(video)
            except UserError as e:
                failures.append(f'{video}: {e}')
    former = {video: _inputs_of(npz_path(out, video)) for video in videos}
    for num_done, (video, result) in enumerate(extract_each(extractor, store, videos), 1):
        if isinstance(result, UserError):
            failures.append(f'{video}: {result}')
        else:
            path, busy = npz_path(out, video), f'{out}: another extract_features writes it; wait or stop it'
            known = {} if trained_on is None else {'trained_on': bool(trained_on.seen(corpus, [video]))}
            with file_lock(out.with_name(f'.{out.name}.lock'), wait_sec=60, busy=busy):
                if _inputs_of(path) not in (former[video], sources[video]['inputs']):
                    raise UserError(f'{path}: another command wrote it meanwhile; pass another --out to one of them')
                result.save(path, {**sources[video], **student, **known})
        on_progress(num_done, len(videos))
    if failures:
        raise UserError(f'{out}: {len(failures)} of {counted(len(sources), "video")} failed: {"; ".join(failures)}')
    return len(videos)


def _inputs_of(path: Path) -> object:
    return ((path.exists() and read_source(path)) or {}).get('inputs')


def extract_each(
    extractor: Extractor, store: CropStore, videos: Sequence[str]
) -> Iterator[tuple[str, FeatureSequence | UserError]]:
    """Yield the features, or the error, of every video in order."""
    remaining = deque(videos)
    while remaining:
        with suppress(UserError):  # of the next video, or of one that is loaded ahead
            for video, sequence in extractor.extract_all(store, list(remaining)):
                yield video, sequence
                remaining.popleft()
        if remaining:
            video = remaining.popleft()
            try:
                yield from extractor.extract_all(store, [video])
            except UserError as e:
                yield video, e


def run_source(cfg: Config, checkpoint: str | os.PathLike, sha256: str | None = None, **settings: object) -> Source:
    """Return config and checkpoint by name with the settings, and as an input the content of all of them.

    ``sha256`` is that of the checkpoint; None: it is read.
    """
    pipeline = (cfg.get('test_dataloader') or {}).get('dataset', {}).get('pipeline')
    inputs = {'model': digest([cfg.model, pipeline, sha256 or file_digest(checkpoint), settings])}
    return {'config': f'{config_name(cfg)}.py', 'checkpoint': Path(checkpoint).name, **settings, 'inputs': inputs}


def concat_features(corpus: Corpus, sources: Sequence[Path], out: Path, overwrite: bool = False) -> int:
    """Stack feature runs along D (Concat-VPD), on the frames that all have.

    Scores are the smallest of the sources.

    Returns:
        Number of files written.

    Raises:
        UserError: the sources differ in videos or views, or share no frame of a video.
    """
    stores = [FeatureStore(source) for source in sources]
    videos = stores[0].videos()
    for store in stores[1:]:
        different = sorted(set(videos) ^ set(store.videos()))
        if different:
            raise UserError(f'{stores[0].directory} and {store.directory} differ in videos, first in {different[0]}')
    of_corpus = CorpusInputs(corpus)
    folders = [of_corpus.name(source) for source in sources]
    inputs = {video: of_corpus.of(*(f'{folder}/{video}.npz' for folder in folders)) for video in videos}
    missing = refresh_features(out, {'concat': folders, 'inputs': {'concat': digest(folders)}}, inputs, overwrite)
    for video, made_of in missing.items():
        of_corpus.check(*inputs[video])
        sequences, stored = [store[video] for store in stores], [npz_path(s.directory, video) for s in stores]
        frames = reduce(np.intersect1d, [sequence.frame_inds for sequence in sequences])
        if len({s.num_views for s in sequences}) > 1:
            raise UserError(f'{video}: the sources have {[s.num_views for s in sequences]} views; extract both again')
        if not len(frames):
            raise UserError(f'{video}: the sources share no frame')
        rows = [np.searchsorted(s.frame_inds, frames) for s in sequences]
        feats = np.concatenate([s.feats[r] for s, r in zip(sequences, rows, strict=True)], axis=2)
        scores = np.min([s.scores[r] for s, r in zip(sequences, rows, strict=True)], axis=0)
        known = [source['trained_on'] for path in stored if (source := read_source(path)) and 'trained_on' in source]
        seen = {'trained_on': any(known)} if known else {}
        FeatureSequence(frames, feats, scores).save(npz_path(out, video), {**made_of, **seen})
    return len(missing)
