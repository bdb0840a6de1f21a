"""Labels of a corpus are written as files of other programs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ..corpus import Corpus
from ..errors import UserError
from ..structures import Label, load_classes
from .entries import LabelledVideo, by_file
from .formats import Format
from .merging import Store
from .videos import athlete_of


def export_labels(store: Store, form: Format, videos: Sequence[str] = (), poses: str = '') -> dict[str, bytes]:
    """Write the labels of a corpus, with boxes and poses where the format holds them.

    Args:
        store: Labels of the corpus.
        form: Format of the files.
        videos: Names of videos; default: all that have labels, without those left out of the corpus.
        poses: Name of the pose set; default: the first that has poses of the video.

    Returns:
        Name of a file to its content: one file, or one for each video file or athlete (``Format.unit``).

    Raises:
        UserError: an unknown video or pose set, no label, or labels that the format cannot hold.
    """
    labelled = labelled_videos(store, videos, poses if form.shapes else None)
    classes = load_classes(store.corpus.classes_path) if store.corpus.classes_path.exists() else []
    files: dict[str, bytes] = {}
    for name, group in _groups(labelled, form.unit).items():
        files[f'{name}{form.suffix}'] = form.write(group, classes)
    return files


def labelled_videos(store: Store, videos: Sequence[str] = (), poses: str | None = None) -> list[LabelledVideo]:
    """Videos with their labels, in the order of their names; with boxes and poses unless ``poses`` is None.

    Raises:
        UserError: an unknown video or pose set, or no label.
    """
    corpus = store.corpus
    by_video: dict[str, list[Label]] = defaultdict(list)
    for label in store.labels()[1]:
        by_video[label.video].append(label)
    infos = corpus.videos()
    for name in videos:
        corpus.video(name)
    if poses and poses not in corpus.pose_names():
        raise UserError(f'{corpus.root}: no pose set {poses!r}; there are {", ".join(corpus.pose_names()) or "none"}')
    wanted = set(videos) or by_video.keys() - corpus.left_out()
    chosen = [info for name, info in infos.items() if name in wanted]
    if not chosen:
        raise UserError(f'{corpus.actions_path}: no label of a video of the corpus; label some, or name videos')
    result = []
    for info in chosen:
        shapes = {} if poses is None else _shapes(corpus, info.video, poses)
        result.append(LabelledVideo(info, athlete_of(info), corpus.times(info), tuple(by_video[info.video]), **shapes))
    return result


def _shapes(corpus: Corpus, video: str, poses: str) -> dict[str, Any]:
    shapes: dict[str, Any] = {}
    if corpus.track_path(video).exists():
        shapes['track'] = corpus.track(video)
    for name in [poses] if poses else corpus.pose_names():
        if corpus.pose_path(name, video).exists():
            shapes['poses'] = corpus.poses(name, video)
            break
    return shapes


def _groups(videos: Iterable[LabelledVideo], unit: str) -> dict[str, list[LabelledVideo]]:
    """Videos of each file that is written, by its name without the ending."""
    if unit == 'all':
        return {'labels': list(videos)}
    if unit == 'video':
        return {video.info.video: [video] for video in videos}
    return by_file(videos)
