"""Look at a corpus: numbers, a contact sheet and a film."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..corpus import Corpus, CropStore
from ..errors import UserError
from ..infer.result_files import check_film, check_sheet
from ..structures import PoseSequence
from ..visualize.corpus_pictures import VideoView, contact_sheet, write_film
from .report import VideoReport, disk_bytes


@dataclass
class Inspection:
    """Counts a video, lines to print, pictures made."""

    videos: list[VideoReport] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


def inspect_corpus(
    root: str | os.PathLike,
    video: str | None = None,
    pose_name: str | None = None,
    out: str | os.PathLike | None = None,
) -> Inspection:
    """Count what a corpus holds; of one video also draw a contact sheet and a film.

    Args:
        root: Folder of the corpus.
        video: Draw this one; None = the numbers of all, and the pictures
            where the corpus has only one video.
        pose_name: Pose set to count and draw; None = the first there is.
        out: Folder of the pictures; None = ``<root>/inspect``.

    Raises:
        UserError: no corpus, no such video or pose set, a file is damaged, or
            a film or picture would replace one that is not ours.
    """
    corpus = Corpus.open(root)
    rows = corpus.videos()
    if not rows:
        raise UserError(f'{corpus.videos_path}: holds no videos; run tools/prepare.py')
    names = corpus.pose_names()
    if pose_name is not None and pose_name not in names:
        raise UserError(f'{corpus.root}: has no pose set {pose_name!r}, only {", ".join(names) or "none"}')
    pose_name = pose_name or (names[0] if names else None)
    chosen = [corpus.video(video).video] if video is not None else list(rows)
    store = CropStore(corpus.crops_dir)
    found = Inspection()
    for name in chosen:
        report = VideoReport(name, rows[name].num_frames)
        poses = _poses(corpus, pose_name, name)
        if corpus.track_path(name).is_file():
            report.count(corpus.track(name), poses)
        if name in store:
            header = store.header(name)
            report.crops, report.num_bytes, report.decoded = len(header), header.num_bytes, 1
        else:
            report.notes.append('no crops')
        found.videos.append(report)
    found.lines.append(f'{corpus.name}: {len(rows)} videos, sport {corpus.sport or "not given"}, layout 1')
    found.lines.append(f'pose sets: {", ".join(names) or "none"}' + (f' (counted: {pose_name})' if pose_name else ''))
    found.lines.append(f'crops on disk: {disk_bytes(corpus.crops_dir) / 1e6:.1f} MB')
    if len(chosen) == 1 and chosen[0] in store:
        folder = Path(out) if out is not None else corpus.root / 'inspect'
        view = VideoView(corpus, store, rows[chosen[0]], _poses(corpus, pose_name, chosen[0]))
        found.pictures = [folder / f'{chosen[0]}.png', folder / f'{chosen[0]}.mp4']
        films = {Path(row.path).resolve() for row in rows.values() if row.path}
        for path in found.pictures:
            if path.resolve() in films:
                raise UserError(
                    f'{path}: is a video of this corpus, which its picture would replace; pass another --out'
                )
        if out is not None:
            check_film(found.pictures[1])
            check_sheet(*found.pictures)
        found.lines += _numbers(view)
        write_film(view, found.pictures[1])
        contact_sheet(view, found.pictures[0])
        found.lines += [f'wrote {path}' for path in found.pictures]
    return found


def _poses(corpus: Corpus, pose_name: str | None, video: str) -> PoseSequence | None:
    if pose_name is None or not corpus.pose_path(pose_name, video).is_file():
        return None
    return corpus.poses(pose_name, video)


def _numbers(view: VideoView) -> list[str]:
    """What the crops and the flow of one video are like."""
    header = view.header
    if not len(header):
        return ['no crops']
    sides = header.windows[:, 2]
    gaps = int((np.diff(header.frame_inds) > 1).sum())
    lines = [
        f'frames {header.frame_inds[0]}..{header.frame_inds[-1]} with {gaps} gaps; window side '
        f'{sides.min()}..{sides.max()} px (median {int(np.median(sides))}), crops of {header.size} px, '
        f'{header.num_bytes / len(header) / 1e3:.1f} kB a frame'
    ]
    if header.flow is not None:
        step = max(1, len(header) // 200)
        length = [
            np.linalg.norm(view.store.flow(view.row.video, int(i)), axis=-1).mean() for i in header.frame_inds[::step]
        ]
        lines.append(
            f'flow {header.flow.get("method", "?")}, clipped to {header.flow["clip"]:g} px: mean length '
            f'{np.mean(length):.2f} px, largest frame mean {np.max(length):.2f} px'
        )
    return lines
