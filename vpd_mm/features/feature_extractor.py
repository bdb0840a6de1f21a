"""F on every frame, as seen and flipped (paper 4)."""

import hashlib
import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from ..corpus import Corpus, CropStore, FeatureStore
from ..distill import PoseDistiller
from ..distill.pose_distiller import mean_of_views, mirror_crops
from ..errors import UserError
from ..registry import MODELS
from ..structures import FeatureSequence, atomic_write
from ..teacher import JointFeature

LOGGER = logging.getLogger(__name__)
#: Written into a run's folder: what made it.
RUN_FILE = 'run.json'


class FeatureExtractor:
    """Run a trained student over all crops of a video.

    Decoding runs in a thread of its own while the network computes.

    Args:
        model: A trained :class:`PoseDistiller`; moved to ``device``.
        pipeline: Transforms of one crop (the test pipeline of the config); they may not be random.
        device: Where the network runs.
        batch_size: Frames a batch; the network sees twice as many pictures.
        half: Half precision (autocast); on GPUs.
    """

    def __init__(
        self,
        model: PoseDistiller,
        pipeline: Sequence[dict | Callable],
        device: str = 'cpu',
        batch_size: int = 64,
        half: bool = False,
    ) -> None:
        self.model = model.to(device).eval()
        self.pipeline = Compose([t for t in pipeline if _kind(t) not in ('ChiralFlip', 'BackgroundNoise')])
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.half = half

    def extract(self, store: CropStore, video: str) -> FeatureSequence:
        """Features of every frame of ``video`` that has a crop: (T, 2, D) = [as seen, flipped]; scores are 1."""
        ((_, sequence),) = self.extract_all(store, [video])
        return sequence

    def extract_all(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[str, FeatureSequence]]:
        """(video, its features) one after the other; the next one's crops are decoded before this one is done."""
        dims = self.model.student.out_dims
        feats = [np.zeros((0, 2, dims), np.float32)]
        for piece, batch in self._batches(store, videos):
            if batch is not None:
                feats.append(self._forward(batch))
            if not piece.last:
                continue
            joined, feats = np.concatenate(feats), feats[:1]
            if not np.isfinite(joined).all():
                raise UserError(
                    f'{piece.video}: the student gives NaN; its training diverged, use an earlier checkpoint'
                )
            yield piece.video, FeatureSequence(piece.frame_inds, joined, np.ones(len(joined), np.float32))

    def features(self, inputs: torch.Tensor) -> np.ndarray:
        """(N, 5 or 3, H, W) as the pipeline gives them, to (N, 2, D) float32."""
        return self._forward(self._both_views(inputs))

    @torch.inference_mode()
    def _both_views(self, inputs: torch.Tensor) -> torch.Tensor:
        """(2 N, ...) on the device, normalised: as seen, then mirrored."""
        return self.model.data_preprocessor({'inputs': torch.cat([inputs, mirror_crops(inputs)])})['inputs']

    @torch.inference_mode()
    def _forward(self, batch: torch.Tensor) -> np.ndarray:
        with torch.autocast(self.device.type) if self.half else nullcontext():
            feats = self.model(batch, mode='tensor')
        return feats.float().reshape(2, len(batch) // 2, -1).transpose(0, 1).cpu().numpy()

    @torch.inference_mode()
    def decode(self, feats: np.ndarray) -> np.ndarray:
        """(T, V, D) features to (T, D) decoded teacher features p_t, as seen.

        Of 2D joints the mean of what both views say, as with ``flip_test``.
        """
        dims = self.model.student.out_dims
        views = torch.from_numpy(feats).to(self.device).unbind(1)
        seen, *mirrored = (self.model.decode(view)[:, :dims] for view in views)
        if mirrored and dims == JointFeature.dims:
            seen = mean_of_views(seen, mirrored[0])
        return seen.cpu().numpy()

    def _batches(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple['_Piece', torch.Tensor | None]]:
        """Both views, ready for the network; the next batch is made while the last one is used."""

        def load(piece: _Piece) -> torch.Tensor | None:
            frames = piece.frame_inds[piece.start : piece.start + self.batch_size].tolist()
            inputs = [self.pipeline(_sample(store, piece.video, frame))['inputs'] for frame in frames]
            return self._both_views(torch.stack(inputs)) if inputs else None

        with ThreadPoolExecutor(1) as pool:
            coming: deque[tuple[_Piece, Future]] = deque()
            for piece in self._pieces(store, videos):
                coming.append((piece, pool.submit(load, piece)))
                if len(coming) > 1:
                    now, batch = coming.popleft()
                    yield now, batch.result()
            for now, batch in coming:
                yield now, batch.result()

    def _pieces(self, store: CropStore, videos: Iterable[str]) -> Iterator['_Piece']:
        for video in videos:
            frame_inds = np.asarray(store.header(video).frame_inds, np.int64)
            for start in range(0, max(len(frame_inds), 1), self.batch_size):
                yield _Piece(video, frame_inds, start, start + self.batch_size >= len(frame_inds))


class _Piece(NamedTuple):
    """What is one batch of a video: frames from ``start`` on; ``last`` of that video."""

    video: str
    frame_inds: np.ndarray
    start: int
    last: bool


def _sample(store: CropStore, video: str, frame: int) -> dict:
    return {'store': store, 'video': video, 'frame': frame, 'index': frame, 'rng': None}


def _kind(transform: dict | Callable) -> str:
    name = transform['type'] if isinstance(transform, dict) else type(transform).__name__
    return str(name).rpartition('.')[2]


def build_extractor(cfg: Config, checkpoint: str | os.PathLike, **kwargs) -> FeatureExtractor:
    """Build the extractor of a distillation config and its checkpoint.

    Raises:
        UserError: the config is not of a distillation, or the checkpoint is not of this model.
    """
    init_default_scope(cfg.get('default_scope', 'vpd_mm'))
    model = MODELS.build(cfg.model)
    if not isinstance(model, PoseDistiller):
        raise UserError(f'{cfg.filename}: its model is {type(model).__name__}; features come from a PoseDistiller')
    load_student(model, checkpoint)
    pipeline = (cfg.get('test_dataloader') or cfg.val_dataloader).dataset.pipeline
    return FeatureExtractor(model, pipeline, **kwargs)


def load_student(model: PoseDistiller, checkpoint: str | os.PathLike) -> None:
    """Load a checkpoint strictly.

    Raises:
        UserError: the file is missing, or its tensors are of another model (for example another D).
    """
    if not Path(checkpoint).is_file():
        raise UserError(f'checkpoint {checkpoint}: no such file')
    try:
        load_checkpoint(model, str(checkpoint), map_location='cpu', strict=True, logger='silent')
    except RuntimeError as e:
        detail = ' '.join(str(e).split())[:300]
        raise UserError(
            f'checkpoint {checkpoint}: is not of this config (student D = {model.student.out_dims}): {detail}'
        ) from e


class Extractor(Protocol):
    """What makes the features of a video from its crops."""

    def extract_all(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[str, FeatureSequence]]: ...


def extract_corpus(
    extractor: Extractor,
    corpus: Corpus,
    out: Path,
    made_by: dict,
    rank: int = 0,
    world_size: int = 1,
    progress: Callable[[Sequence[str]], Iterator[str]] = iter,
) -> int:
    """Write ``out/<video>.npz`` for every video with crops; what is there stays.

    Process ``rank`` of ``world_size`` takes its share of the videos.

    Args:
        made_by: What identifies the run (see :func:`run_identity`); a folder made by another run is refused.
        progress: Wraps the list of videos, for a progress bar.

    Returns:
        Number of files written.
    """
    claim_folder(out, made_by)
    store = CropStore(corpus.crops_dir)
    videos = [v for v in store.videos()[rank::world_size] if not (out / f'{v}.npz').exists()]
    for video, sequence in extractor.extract_all(store, progress(videos)):
        sequence.save(out / f'{video}.npz')
    return len(videos)


def run_identity(cfg: Config, checkpoint: str | os.PathLike) -> dict:
    """Config name and hash of the weights: two runs of one identity give the same features."""
    digest = hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest()
    return {'config': Path(cfg.filename).name, 'checkpoint_sha256': digest}


def claim_folder(out: Path, made_by: dict) -> None:
    """Make ``out`` this run's folder, or check that it is.

    Raises:
        UserError: the folder holds features of another run.
    """
    path = out / RUN_FILE
    if path.is_file():
        found = json.loads(path.read_text(encoding='utf-8'))
        if found != made_by:
            raise UserError(f'{path}: the folder holds features of {found}, not of {made_by}; pass another --out')
        return
    if out.is_dir() and any(out.glob('*.npz')):
        raise UserError(f'{out}: holds features of unknown origin (no {RUN_FILE}); pass another --out')
    with atomic_write(path, 'w') as f:
        json.dump(made_by, f, indent=1)


def concat_features(sources: Sequence[Path], out: Path) -> int:
    """Stack feature runs along D (Concat-VPD), on the frames that all have.

    Scores are the smallest of the sources'.

    Raises:
        UserError: the sources differ in videos or views, or share no frame of a video.
    """
    stores = [FeatureStore(source) for source in sources]
    videos = stores[0].videos()
    for store in stores[1:]:
        different = sorted(set(videos) ^ set(store.videos()))
        if different:
            raise UserError(f'{stores[0].directory} and {store.directory} differ in videos, first in {different[0]}')
    claim_folder(out, {'concat': [str(source) for source in sources]})
    written = 0
    for video in videos:
        if (out / f'{video}.npz').exists():
            continue
        sequences = [store[video] for store in stores]
        frames = sequences[0].frame_inds
        for sequence in sequences[1:]:
            frames = np.intersect1d(frames, sequence.frame_inds)
        if len({s.num_views for s in sequences}) > 1:
            raise UserError(f'{video}: the sources have {[s.num_views for s in sequences]} views; extract both again')
        if not len(frames):
            raise UserError(f'{video}: the sources share no frame')
        rows = [np.searchsorted(s.frame_inds, frames) for s in sequences]
        feats = np.concatenate([s.feats[r] for s, r in zip(sequences, rows, strict=True)], axis=2)
        scores = np.min([s.scores[r] for s, r in zip(sequences, rows, strict=True)], axis=0)
        FeatureSequence(frames, feats, scores).save(out / f'{video}.npz')
        written += 1
    return written
