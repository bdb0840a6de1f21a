"""Inspect a corpus: counts and checks, and of one video a contact sheet and a video of box, pose, crop and flow."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..athlete import VideoReader
from ..athlete.recipe import corpus_recipe
from ..corpus import Corpus, CropStore, VideoInfo
from ..corpus.consistency import disagreements
from ..corpus.shard import videos_of_shards
from ..errors import UserError, counted, one_line
from ..files import check_output, list_folder
from ..structures import VPD_JOINTS
from ..visualize.panels import (
    BACKGROUND,
    BOX,
    FULL_FLOW_PX,
    draw_boxes,
    draw_text,
    evenly_spread,
    flow_to_rgb,
    flow_wheel,
    grid,
    legend,
    resize,
    save_image,
)
from ..visualize.skeleton import SIDES, draw_skeleton
from ..visualize.video_writer import VideoWriter
from .readiness import CHECKS, CONFIDENT, Counts, count_video, failing, read_flow, total_counts, true_rate
from .report import VideoReport, disk_bytes

#: Side of the panels of crop, pose and flow in the video, px.
_PANEL = 176
#: Height of a tile of the contact sheet, px; tiles; width of a row at most, px.
_TILE, _NUM_TILES, _WIDTH = 320, 16, 1440


@dataclass
class Inspection:
    """Counts of each video, text for the console, paths of the drawn files."""

    videos: list[VideoReport] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)


def inspect_corpus(
    root: str | os.PathLike,
    video: str | None = None,
    pose_name: str | None = None,
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
) -> Inspection:
    """Count what a corpus holds; of ``video``, or the only one, also draw a contact sheet and a video.

    ``pose_name`` is the pose set (None = the first one), ``out`` the folder of the images (None = ``<root>/inspect``).
    Raises UserError: no corpus, no such video or pose set, a file is damaged, or an existing file that this tool did
    not write would be replaced, without ``overwrite``.
    """
    corpus = Corpus.open(root)
    rows, failed = corpus.videos(), corpus.failures()
    if not rows and not failed:
        raise UserError(f'{corpus.videos_path}: holds no videos; run tools/prepare.py')
    names = corpus.pose_names()
    known = ', '.join(names) or 'none'
    if pose_name is not None and pose_name not in names:
        raise UserError(f'{corpus.root}: has no pose set {pose_name!r}, only {known}')
    pose_name = pose_name or next(iter(names), None)
    left_out = corpus.left_out()
    chosen = [row for row in rows.values() if row.video not in left_out]
    if video is not None:
        chosen = [corpus.video(video)]
    store = CropStore(corpus.crops_dir)
    differing: dict[str, str] = {}
    if video is not None:  # also one that is left out
        store = CropStore(corpus.crops_dir, videos_of_shards(corpus.crops_dir))
    with suppress(UserError):  # of a damaged shard: every video reports it
        differing = disagreements(corpus, store, [row.video for row in chosen])
    result = Inspection()
    counts: dict[str, Counts] = {}
    marks: list[str] = []
    for row in chosen:
        try:
            view = VideoView(corpus, store, row, pose_name)
            report = view.report()
            counts[row.video] = view.counts(report)
            marks += view.marks(counts[row.video])
            report.notes += [f'! {check.name}' for check in failing(counts[row.video])]
            report.notes += ['! files disagree'] * (row.video in differing)
            result.videos.append(report)
        except Exception as e:  # any: the other videos are counted
            if len(chosen) == 1:
                raise
            result.videos.append(VideoReport(row.video, row.num_frames, failures=[one_line(e)]))
    if video is None:
        known_failures = {report.video: report for report in result.videos}
        for name, reason in failed.items():
            if name in left_out:
                continue
            report = known_failures.get(name) or VideoReport(name)
            result.videos += [report] * (name not in known_failures)
            report.failures.append(reason)
        result.videos += [VideoReport(name, notes=['left out']) for name in sorted(left_out)]
    result.lines += [
        f'{corpus.name}: {counted(len(rows), "video")}, sport {corpus.sport or "not given"}, layout 1',
        f'pose sets: {known}' + (f' (counted: {pose_name})' if pose_name else ''),
        f'crops on disk: {disk_bytes(corpus.crops_dir) / 1e6:.1f} MB',
        *(report.line() for report in result.videos if report.failures),
    ]
    if len(chosen) == 1 and chosen[0].video in store:
        folder = Path(out) if out is not None else corpus.root / 'inspect'
        sheet, clip = folder / f'{chosen[0].video}.png', folder / f'{chosen[0].video}.mp4'
        inputs = [row.path for row in rows.values() if row.path]
        for path in (sheet, clip):
            check_output(path, overwrite=overwrite, inputs=inputs)
        view.write(clip, sheet)
        result.images = [sheet, clip]
        result.lines += [*view.problems, *view.statistics(), *(f'wrote {path}' for path in result.images)]
    with_crops = [name for name in counts if name in store]
    result.lines += [f'note: {line}' for line in corpus_recipe(corpus, store, with_crops)[1]]
    result.lines += [*marks, *(f'{name}: {reason}' for name, reason in differing.items())]
    result.lines += verdict(corpus, result.videos, counts, list(differing))
    return result


def verdict(
    corpus: Corpus, reports: list[VideoReport], counts: dict[str, Counts], differing: Sequence[str] = ()
) -> list[str]:
    """Lines about the checks of the whole corpus; the last one says what to do first, or that it is ready to train."""
    total = total_counts(list(counts.values()))
    lines = []
    for check in CHECKS:
        lines.append(f'{" " if check.passes(*total[check.name]) else "!"} {check.text(*total[check.name])}')
        if failed_in := [video for video, one in counts.items() if check in failing(one)]:
            fps = min(true_rate(corpus.video(video).fps, counts[video]) for video in failed_in)
            lines.append(
                f'    {len(failed_in)} of {counted(len(counts), "video")}: {check.hint.format(fps=f"{fps:g}")}'
            )
    without = [report.video for report in reports if report.failures]
    if not counts:
        return [
            *lines,
            f'first: correct what failed in {counted(len(without), "video")}, and run tools/prepare.py again',
        ]
    if differing:
        names = ' '.join(differing)
        return [*lines, f'first: run the command of tools/prepare.py again with --redo {names}; its files disagree']
    if not any(report.crops for report in reports):
        return [*lines, 'first: run tools/prepare.py on the video files; no video has crops']
    if not corpus.pose_names() and not list_folder(corpus.root / 'teacher'):
        return [*lines, 'first: run tools/prepare.py again with --poses; there is no pose set']
    if beyond := failing(total):
        marked = [video for video, one in counts.items() if beyond[0] in failing(one)]
        leave_out = f', or tools/prepare.py leave-out {corpus.root} {" ".join(marked)}'
        check, (count, of) = beyond[0], total[beyond[0].name]
        fps = min((true_rate(corpus.video(video).fps, counts[video]) for video in marked), default=0)
        text = f'first: {check.name} {count / of:.1%}: {check.hint.format(fps=f"{fps:g}")}'
        return [*lines, text + leave_out * (len(marked) < len(counts))]
    missing = f', without {len(without)} that failed (first {without[0]})' if without else ''
    return [*lines, f'ready to train{missing}']


class VideoView:
    """Count and draw one video of a corpus, with its crops in ``store``; ``pose_name`` None = no poses."""

    def __init__(self, corpus: Corpus, store: CropStore, row: VideoInfo, pose_name: str | None) -> None:
        self.row, self.store, self.fps, self.pose_name = row, store, corpus.fps, pose_name
        self.times, self.problems = corpus.times(row), list[str]()
        self.header = store.header(row.video) if row.video in store else None
        self.track = corpus.track(row.video) if corpus.track_path(row.video).is_file() else None
        has_poses = pose_name is not None and corpus.pose_path(pose_name, row.video).is_file()
        self.poses = corpus.poses(str(pose_name), row.video) if has_poses else None
        self._boxes, self._joints, self._windows = {}, {}, {}
        if self.track is not None:
            self._boxes = dict(zip(self.track.frame_inds.tolist(), self.track.boxes))
        if self.poses is not None:
            joints = zip(self.poses.keypoints[:, VPD_JOINTS], self.poses.scores[:, VPD_JOINTS])
            self._joints = dict(zip(self.poses.frame_inds.tolist(), joints))
        if self.header is not None:
            self._windows = dict(zip(self.header.frame_inds.tolist(), self.header.windows.tolist()))

    def report(self) -> VideoReport:
        """Count its frames."""
        report = VideoReport(self.row.video, self.row.num_frames)
        if self.track is not None:
            report.count(self.track, self.poses)
        if self.header is not None:
            report.crops, report.num_bytes, report.decoded = len(self.header), self.header.num_bytes, 1
        else:
            report.notes.append('no crops')
        return report

    def counts(self, report: VideoReport) -> Counts:
        """Count what the checks need."""
        confident = 0 if self.pose_name is not None and report.confident is None else report.confident
        flow = read_flow(self.store, self.row.video, self.header)
        counts, self._frames = count_video(self.row.num_frames, self.track, self.poses, confident, self.header, flow)
        return counts

    def marks(self, counts: Counts) -> list[str]:
        """Lines about the checks that this video does not pass, with the first frames."""
        lines = []
        for check in failing(counts):
            frames = [str(i) for i in self._frames.get(check.name, [])]
            frames[5:] = ['...'] * (len(frames) > 5)
            where = f'; frames {", ".join(frames)}' if frames else ''
            lines.append(f'{self.row.video}: {check.text(*counts[check.name])}{where}')
        return lines

    def write(self, clip: Path, sheet: Path) -> None:
        """Write a video of all frames and a contact sheet of evenly spread frames with a crop."""
        inds = list(self._windows)
        if not inds:
            raise UserError(f'{self.row.video}: has no crops to show')
        chosen = {inds[i] for i in evenly_spread(len(inds), _NUM_TILES)}
        frames: Iterable[tuple[int, np.ndarray | None]] = ((frame_ind, None) for frame_ind in inds)
        if self.row.path:
            try:
                frames = VideoReader(self.row.existing_path(), self.fps)
            except UserError as e:  # crops and poses can still be drawn
                self.problems.append(f'drawn without the frames of the video: {e}')
        tiles = []
        with VideoWriter(clip, self.row.fps) as writer:
            for frame_ind, rgb in frames:
                image, text = self._image(frame_ind, rgb), self._text(frame_ind)
                if frame_ind in chosen:
                    tiles.append(draw_text(resize(image, _TILE), text, size=18))
                image = np.concatenate([draw_text(image, text, size=18), legend(image.shape[1], self._legend())])
                writer.write(image, self.times.seconds(frame_ind))
        image = grid(tiles, min(max(1, _WIDTH // tiles[0].shape[1]), 8), gap=8, background=(255, 255, 255))
        save_image(sheet, np.concatenate([image, legend(image.shape[1], self._legend(), 18)]))

    def statistics(self) -> list[str]:
        """Lines about crops and flow."""
        header = self.store.header(self.row.video)
        inds, sides = header.frame_inds, header.windows[:, 2]
        lines = [
            f'frames {inds[0]}..{inds[-1]} with {int((np.diff(inds) > 1).sum())} gaps; window side '
            f'{sides.min()}..{sides.max()} px (median {int(np.median(sides))}), crops of {header.size} px, '
            f'{header.num_bytes / len(header) / 1e3:.1f} kB per frame'
        ]
        if header.flow is not None:
            inds = inds[:: max(1, len(header) // 200)].tolist()
            length = [np.linalg.norm(self.store.flow(self.row.video, i), axis=-1).mean() for i in inds]
            lines.append(
                f'flow {header.flow.get("method", "?")}, clipped to {header.flow["clip"]:g} px: mean length '
                f'{np.mean(length):.2f} px, largest frame mean {np.max(length):.2f} px'
            )
        return lines

    def _image(self, frame_ind: int, rgb: np.ndarray | None) -> np.ndarray:
        """The frame (where the video file exists) with box and pose; beside it crop, crop with pose, and flow."""
        crop, pose, flow = (np.full((_PANEL, _PANEL, 3), BACKGROUND, np.uint8) for _ in range(3))
        if frame_ind in self._windows:
            crop, pose = (resize(self.store.crop(self.row.video, frame_ind), _PANEL) for _ in range(2))
            left, top, side = self._windows[frame_ind]
            self._draw_pose(pose, frame_ind, (left, top), _PANEL / side)
            if self._has_flow:
                flow = resize(flow_to_rgb(self.store.flow(self.row.video, frame_ind)), _PANEL)
        panels = np.concatenate([crop, pose, flow])
        if rgb is None:
            return panels
        image, scale = resize(rgb, len(panels)), len(panels) / len(rgb)
        if frame_ind in self._boxes:
            draw_boxes(image, self._boxes[frame_ind] * scale, thickness=2)
        self._draw_pose(image, frame_ind, (0, 0), scale)
        return np.concatenate([image, panels], axis=1)

    @property
    def _has_flow(self) -> bool:
        return self.header is not None and self.header.flow is not None

    def _legend(self) -> dict:
        """The colours of what this video has."""
        entries: dict = {'box': BOX} if self._boxes else {}
        if self._joints:
            entries |= SIDES | {f'ring: joint below {CONFIDENT:g}': None, 'confidence: mean score of the joints': None}
        if self._has_flow:
            entries[f'flow: direction; full colour from {FULL_FLOW_PX:g} px'] = flow_wheel(64)
        return entries

    def _draw_pose(self, image: np.ndarray, frame_ind: int, origin: tuple[float, float], scale: float) -> None:
        if frame_ind in self._joints:
            joints, scores = self._joints[frame_ind]
            draw_skeleton(image, (joints - origin) * scale, scores=scores, threshold=CONFIDENT, rings=True)

    def _text(self, frame_ind: int) -> str:
        text = f'frame {frame_ind}'
        if frame_ind in self._joints:
            return f'{text}, confidence {self._joints[frame_ind][1].mean():.2f}'
        if frame_ind not in self._boxes:
            return f'{text}, no box'
        return f'{text}, no pose' if self._joints else text
