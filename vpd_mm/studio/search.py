"""Search by example: the segments of the whole corpus that are nearest to one under DTW.

Candidates are the labelled actions, the predictions of the last training, and, over all videos, windows of fixed
lengths: those of a geometric series (:data:`GROWTH`) between 1 / :data:`RANGE` and :data:`RANGE` times the length of
the query, each every quarter of its length (:data:`STRIDE`), where the athlete has features.  A window that is nearly a
label or a prediction is left out for it.  All are read at the rate and in the window of recognition, and compared by
``retrieve.DTWRetriever``: the result is exact among the candidates.  Of matches that overlap, the nearest one stays.

Packed windows are kept in memory, up to :data:`CACHE_BYTES`, until features, tracks or the videos of the corpus change.
A corpus with more windows takes longer, but is searched as exactly.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..detect import temporal_iou
from ..errors import UserError
from ..features import Window, clip_positions, interpolate, resolve_features
from ..features.clips import split_names
from ..files import file_state, npz_path
from ..retrieve import DTWRetriever, step_patterns
from ..retrieve.dtw import run_in_threads
from .predictions import PredictionStore
from .rejections import SAME_TIOU, Rejections
from .segments import ClipReader, Segment, feature_name, read_labels, segment_of
from .workspace import Workspace

#: Ratio of two neighbouring lengths of windows, the range of lengths around the query's, and the distance of two
#: windows as a share of their length.
GROWTH, RANGE, STRIDE = 1.25, 1.4, 0.25
#: Shortest window, in rows of the rate of recognition.
MIN_ROWS = 4
#: A match that overlaps a nearer one by more is suppressed.
NMS_TIOU = 0.25
#: Largest distance of a row of a window from a frame with features.
MAX_GAP_SEC = 0.5
#: Rows of the videos whose windows are packed together, and bytes of the packed windows that are kept.
CHUNK_ROWS, CACHE_BYTES = 50_000, 1 << 30
MAX_LIMIT = 200


@dataclass(frozen=True)
class Match:
    """A segment that is alike; ``label_from`` is 'label', 'prediction', or None of a window, which has no label."""

    video: str
    start_frame: int
    end_frame: int
    distance: float
    step_pattern: str
    label: str | None
    label_from: str | None
    action_id: str | None


class Found(NamedTuple):
    """Result of a search: matches, nearest first, and how many candidates there were from each source."""

    matches: list[Match]
    candidates_from: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        total = sum(self.candidates_from.values())
        matches = [asdict(match) for match in self.matches]
        return {'num_candidates': total, 'candidates_from': self.candidates_from, 'matches': matches}


class Gallery:
    """Segments with their packed features.

    Args:
        segments: G segments.
        clips: Their features (T, V, D).
    """

    def __init__(self, segments: Sequence[Segment], clips: Sequence[np.ndarray]) -> None:
        self.segments, self.lengths = list(segments), np.array([len(clip) for clip in clips])
        self.retriever: Any = DTWRetriever(clips, num_threads=1) if clips else None
        self.spans = np.array([(s.start_frame, s.end_frame) for s in segments], np.int64).reshape(-1, 2)
        self.videos: dict[str, np.ndarray] = {}
        names = np.array([s.video for s in segments])
        for video in dict.fromkeys(s.video for s in segments):
            self.videos[video] = np.flatnonzero(names == video)
        self.num_bytes = sum(clip.nbytes for clip in clips)

    def near(self, others: Sequence[Segment], least: float) -> np.ndarray:
        """(G,) bool: whether a segment overlaps one of the others by ``least`` in time; 0: shares a frame."""
        near = np.zeros(len(self.segments), bool)
        for other in others:
            inds = self.videos.get(other.video, np.zeros(0, np.int64))
            tiou = temporal_iou((other.start_frame, other.end_frame), self.spans[inds])
            near[inds] |= tiou >= least if least else tiou > 0
        return near


class SearchEngine:
    """Find alike segments; one engine serves all threads.

    Args:
        workspace: Corpus and features.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._cache: OrderedDict[tuple, Gallery] = OrderedDict()
        self._lock = threading.Lock()

    def search(self, query: Segment, limit: int = 20) -> Found:
        """Return the ``limit`` nearest segments that share no frame with the query and were not rejected for it.

        Raises:
            UserError: no such video, the segment leaves it or has no features, a limit outside 1..200, no candidates.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise UserError(f'limit must be 1 to {MAX_LIMIT}, found {limit}')
        reader = ClipReader(self.workspace)
        num_frames = self.workspace.corpus.video(query.video).num_frames
        if query.end_frame > num_frames:
            raise UserError(f'query: ends at frame {query.end_frame}, {query.video} has {num_frames} frames')
        clip = reader.read(query)
        if clip is None:
            raise UserError(f'query: these frames of {query.video} have no {self.workspace.features} features')
        known, galleries, counts = self._galleries(reader, query)
        rejected = Rejections(self.workspace).of(query)
        matches: list[Match] = []
        searches = []
        for source, gallery in galleries:
            excluded = gallery.near([query], 0) | gallery.near(rejected, SAME_TIOU)
            if source == 'window':
                excluded |= gallery.near(list(known), SAME_TIOU)
            counts[source] += int((~excluded).sum())
            if not excluded.all():
                searches.append((gallery, np.flatnonzero(excluded)))
        if not searches:
            raise UserError('search: there is no other segment to compare with; add videos, or extract their features')
        num = 4 * limit
        while True:
            ranked, is_complete = _nearest(clip, searches, num)
            matches = [self._match(clip, *hit, known) for hit in _suppress(ranked, limit)]
            if len(matches) == limit or is_complete:
                return Found(matches, counts)
            num *= 4

    def _match(self, clip: np.ndarray, key: tuple, gallery: Gallery, i: int, known: dict) -> Match:
        segment = gallery.segments[i]
        label, source, action_id = known.get(segment, (None, None, None))
        pattern = step_patterns(clip, [np.empty(gallery.lengths[i])])[0]
        span = segment.video, segment.start_frame, segment.end_frame
        return Match(*span, round(float(key[1]), 6), pattern, label, source, action_id)

    def _galleries(
        self, reader: ClipReader, query: Segment
    ) -> tuple[dict[Segment, tuple], list[tuple[str, Gallery]], dict[str, int]]:
        """Known segments with label, source and id; galleries by source; number of candidates of each, still 0."""
        classes, actions = read_labels(self.workspace.corpus)
        known: dict[Segment, tuple] = {}
        for action in actions:
            known.setdefault(segment_of(action), (classes[action.label], 'label', action.action_id))
        labels = list(known)
        predicted = [p for p in PredictionStore(self.workspace).read().all() if p.segment not in known]
        by_video: dict[str, list[Segment]] = {}
        for label in labels:
            by_video.setdefault(label.video, []).append(label)
        for p in predicted:
            if not p.segment.overlaps_any(by_video.get(p.segment.video, []), SAME_TIOU):
                known.setdefault(p.segment, (p.label, 'prediction', None))
        predictions = [segment for segment in known if segment not in set(labels)]
        galleries = [('label', self._known(reader, labels)), ('prediction', self._known(reader, predictions))]
        galleries += [('window', gallery) for gallery in self._windows(reader, query)]
        return known, galleries, {'label': 0, 'prediction': 0, 'window': 0}

    def _known(self, reader: ClipReader, segments: list[Segment]) -> Gallery:
        """The gallery of labels or predictions that have features."""

        def make() -> Gallery:
            clips = {segment: reader.read(segment) for segment in segments}
            present = {segment: clip for segment, clip in clips.items() if clip is not None}
            return Gallery(list(present), list(present.values()))

        return self._cached(('known', tuple(segments), self._content(sorted({s.video for s in segments}))), make)

    def _windows(self, reader: ClipReader, query: Segment) -> Iterator[Gallery]:
        """Galleries of the windows of all videos, some videos and one length at a time."""
        seconds = _seconds(reader, query)
        rates = {v: min(info.fps, reader.settings.fps or info.fps) for v, info in reader.videos.items()}
        videos = sorted(reader.videos)
        chunks: list[list[str]] = [[]]
        rows = 0.0
        for video in videos:
            rows += reader.videos[video].num_frames * rates[video] / reader.videos[video].fps
            if rows > CHUNK_ROWS and chunks[-1]:
                chunks.append([])
                rows = 0.0
            chunks[-1].append(video)
        for chunk in filter(None, chunks):
            content = self._content(chunk)
            for length in window_lengths(seconds):
                make = partial(make_windows, reader, chunk, length)
                yield self._cached(('window', round(length, 6), content), make)

    def _content(self, videos: Sequence[str]) -> tuple:
        """The state of the files that the features of some videos are read from."""
        corpus = self.workspace.corpus
        folders = [resolve_features(corpus, name) for name in split_names(feature_name(self.workspace))]
        paths = [[*(npz_path(folder, video) for folder in folders), corpus.times_path(video)] for video in videos]
        return tuple(tuple(map(file_state, of_video)) for of_video in paths), repr(corpus.settings()), tuple(videos)

    def _cached(self, key: tuple, make: Any) -> Gallery:
        with self._lock:  # two searches of one length would pack it twice
            if key not in self._cache:
                self._cache[key] = make()
                total = sum(gallery.num_bytes for gallery in self._cache.values())
                while total > CACHE_BYTES and len(self._cache) > 1:
                    total -= self._cache.popitem(last=False)[1].num_bytes
            self._cache.move_to_end(key)
            return self._cache[key]


def window_lengths(seconds: float) -> list[float]:
    """Lengths in seconds of the windows for a query: members of one series, so that packed windows serve others too."""
    first, last = (np.log(seconds * factor) / np.log(GROWTH) for factor in (1 / RANGE, RANGE))
    return [float(GROWTH**i) for i in range(int(np.ceil(first)), int(np.floor(last)) + 1)]


def _seconds(reader: ClipReader, segment: Segment) -> float:
    times = reader.times(segment.video)
    return float(times.seconds(segment.end_frame) - times.seconds(segment.start_frame))


def make_windows(reader: ClipReader, videos: Sequence[str], seconds: float) -> Gallery:
    """Windows of one length over some videos."""
    window, segments, clips = reader.settings.window, list[Segment](), list[np.ndarray]()
    for video in videos:
        info, times = reader.videos[video], reader.times(video)
        sequences = reader.reader(video)
        if not sequences:
            continue
        rows = clip_positions(0, info.num_frames, times, info.num_frames, Window(), reader.settings.fps)
        edges = np.append(rows, info.num_frames)
        rate = len(rows) / float(times.seconds(info.num_frames))
        length = max(MIN_ROWS, round(seconds * rate))
        if length > len(rows):
            continue
        parts = [interpolate(sequence, rows, reader.reader.num_views) for sequence in sequences]
        feats: np.ndarray = np.concatenate(parts, axis=2).transpose(1, 0, 2)  # type: ignore[arg-type]
        near = np.all([_near(s.frame_inds, rows, MAX_GAP_SEC * info.fps) for s in sequences], axis=0)
        missing = np.concatenate([[0], np.cumsum(~near)])
        for first in range(0, len(rows) - length + 1, max(1, round(length * STRIDE))):
            start, end = int(edges[first]), int(edges[first + length])
            low, high = first, first + length
            if window != Window():
                low, high = np.searchsorted(rows, window.span(start, end, times))
            if low < high and missing[high] == missing[low]:
                segments.append(Segment(video, start, end))
                clips.append(feats[low:high])
    return Gallery(segments, clips)


def _near(known: np.ndarray, rows: np.ndarray, most: float) -> np.ndarray:
    """(T,) bool: whether a row lies within ``most`` frames of a known one."""
    padded = np.concatenate([[-np.inf], known, [np.inf]])
    after = np.searchsorted(known, rows) + 1
    return np.minimum(rows - padded[after - 1], padded[after] - rows) <= most + 1e-6


def _nearest(
    clip: np.ndarray, searches: Sequence[tuple[Gallery, np.ndarray]], num: int
) -> tuple[list[tuple[tuple, Gallery, int]], bool]:
    """The nearest segments of all galleries as (key, gallery, item), nearest first; whether these are all.

    The key is whether the pair has no symmetricP2 path, and the distance.  Of a gallery of more than ``num`` items,
    what lies behind the last one is not known: items of other galleries behind it are cut.
    """
    hits: list[tuple[tuple, Gallery, int]] = []
    ends: list[tuple] = []

    def search(i: int) -> None:
        gallery, excluded = searches[i]
        count = min(num, len(gallery.segments) - len(excluded))
        inds, distances, _ = gallery.retriever.search([clip], count, [excluded])
        patterns = step_patterns(clip, [np.empty(n) for n in gallery.lengths[inds[0]]])
        nearest = [
            ((pattern != 'symmetricP2', distance), gallery, int(item))
            for item, distance, pattern in zip(inds[0], distances[0], patterns, strict=True)
        ]
        hits.extend(nearest)
        if count < len(gallery.segments) - len(excluded):
            ends.append(nearest[-1][0])

    run_in_threads(search, len(searches))
    end = min(ends, default=(True, np.inf))
    hits = [hit for hit in hits if hit[0] <= end]
    return sorted(hits, key=lambda hit: (hit[0], hit[1].segments[hit[2]])), not ends


def _suppress(ranked: Sequence[tuple[tuple, Gallery, int]], limit: int) -> list[tuple[tuple, Gallery, int]]:
    """The first ``limit`` hits of which none overlaps a nearer one by more than ``NMS_TIOU``."""
    kept: list[tuple[tuple, Gallery, int]] = []
    by_video: dict[str, list[Segment]] = {}
    for hit in ranked:
        segment = hit[1].segments[hit[2]]
        others = by_video.setdefault(segment.video, [])
        if not segment.overlaps_any(others, NMS_TIOU):
            kept.append(hit)
            others.append(segment)
            if len(kept) == limit:
                break
    return kept


def compile_search() -> None:
    """Compile what a search runs: seconds, once for each installation, as numba keeps the result on disk."""
    clip = np.zeros((2, 2, 2), np.float32)
    DTWRetriever([clip, clip], num_threads=1).search([clip], 1)
    step_patterns(clip, [clip])


def timed_search(engine: SearchEngine, query: Segment, limit: int) -> dict[str, Any]:
    """The result of a search in JSON, with the seconds it took."""
    start = time.perf_counter()
    content = engine.search(query, limit).to_json()
    return {'seconds': round(time.perf_counter() - start, 3), **content}
