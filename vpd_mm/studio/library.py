"""The videos of a corpus with their sizes, shares and numbers of labels, in time for a corpus of 1,000 videos."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..corpus import VideoInfo
from ..corpus.stale_files import digest
from ..errors import UserError
from ..files import file_state, list_folder, read_json, write_json
from ..structures import VPD_JOINTS, Action, load_actions, load_classes, load_splits
from ..structures.npz_io import load_npz
from ..structures.sequences import AthleteTrack, PoseSequence
from .predictions import Prediction, PredictionStore
from .workspace import Workspace, content_tag

#: Seconds in which the list has to be there; shares that take longer are missing in it and counted afterwards.
PATIENCE_SEC = 1.0


class Library:
    """List the videos of a workspace.

    Shares are kept in ``<corpus>/studio/cache/shares.json``, with the state of the files that they are of.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._path = workspace.folder / 'cache' / 'shares.json'
        #: Video to [state, tracked share, confident share].
        self._known: dict[str, list] = {}
        with suppress(UserError):  # missing or damaged: counted again
            if isinstance(known := read_json(self._path, ''), dict):
                self._known = {name: e for name, e in known.items() if isinstance(e, list) and len(e) == 3}
        self._counting = threading.Lock()

    def rows(self) -> list[dict[str, Any]]:
        """One row a video, in the order of videos.csv; shares are None where unknown, or not counted yet.

        ``tracked_share`` is of all frames, ``confident_share`` of the tracked ones, as in the report of prepare.
        ``split`` is that of splits.csv, else that of the video's actions.
        """
        videos = self.workspace.videos()
        counted = self._shares(videos)
        actions, predictions = self._actions(), self._predictions()
        labels, splits = Counter(action.video for action in actions), self._splits(actions)
        return [
            {
                **describe(self.workspace, row),
                **dict(zip(('tracked_share', 'confident_share'), counted.get(name, (None, None)))),
                'num_labels': labels[name],
                'num_predictions': len(predictions.get(name, ())),
                'split': splits.get(name),
            }
            for name, row in videos.items()
        ]

    def row(self, video: VideoInfo) -> dict[str, Any]:
        """Row of one video, with the others of its file, the times of its frames and its pose sets."""
        corpus, edges = self.workspace.corpus, self.workspace.times(video).edges
        row = next(row for row in self.rows() if row['video'] == video.video)
        return row | {
            'athletes': [name for name, other in self.workspace.videos().items() if other.file == video.file],
            'times': None if edges is None else np.round(edges, 6).tolist(),
            'poses': [name for name in corpus.pose_names() if corpus.pose_path(name, video.video).is_file()],
        }

    def _shares(self, videos: Mapping[str, VideoInfo]) -> dict[str, tuple[float | None, float | None]]:
        corpus = self.workspace.corpus
        poses = next(iter(corpus.pose_names(repaired=False)), '')
        states = {
            name: digest(
                [
                    file_state(corpus.track_path(name)),
                    file_state(corpus.pose_path(poses, name)) if poses else None,
                    row.num_frames,
                ]
            )
            for name, row in videos.items()
        }
        missing = [name for name in videos if self._known.get(name, [None])[0] != states[name]]
        if missing:
            thread = threading.Thread(target=self._count, args=(missing, videos, states, poses), daemon=True)
            thread.start()
            thread.join(PATIENCE_SEC)
        known = {name: entry for name in videos if (entry := self._known.get(name)) and entry[0] == states[name]}
        return {name: (entry[1], entry[2]) for name, entry in known.items()}

    def _count(self, names: list[str], videos: Mapping[str, VideoInfo], states: Mapping[str, str], poses: str) -> None:
        with self._counting:
            for name in names:
                if self._known.get(name, [None])[0] != states[name]:
                    tracked, confident = self._count_video(name, poses)
                    of_frames = None if tracked is None else tracked / videos[name].num_frames
                    of_tracked = confident / tracked if tracked and confident is not None else None
                    self._known[name] = [states[name], of_frames, of_tracked]
            with suppress(OSError):  # a corpus on a read-only disk can be looked at
                write_json(self._path, {name: self._known[name] for name in videos if name in self._known})

    def _count_video(self, name: str, poses: str) -> tuple[int | None, int | None]:
        corpus, tracked, confident = self.workspace.corpus, None, None
        with suppress(UserError):
            tracked = len(load_npz(corpus.track_path(name), AthleteTrack.KIND, ('scores',))['scores'])
        if poses:
            with suppress(UserError):
                scores = load_npz(corpus.pose_path(poses, name), PoseSequence.KIND, ('scores',))['scores']
                mean = scores[:, list(VPD_JOINTS)].mean(axis=1)
                confident = int(np.count_nonzero(mean >= corpus.settings().min_score))
        return tracked, confident

    def _actions(self) -> list[Action]:
        """The labels, without lines that are not valid, which LabelStore reports."""
        path = self.workspace.corpus.actions_path
        with suppress(UserError):
            return load_actions(path, on_error=lambda error: None)
        return []

    def _predictions(self) -> Mapping[str, Sequence[Prediction]]:
        with suppress(UserError):
            return PredictionStore(self.workspace).read().of_video
        return {}

    def _splits(self, actions: Sequence[Action]) -> dict[str, str]:
        """Split of each video: of splits.csv, else that of its actions."""
        splits = {action.video: action.split for action in actions}
        with suppress(UserError):
            splits |= load_splits(self.workspace.corpus.splits_path)
        return splits


def describe(workspace: Workspace, row: VideoInfo) -> dict[str, Any]:
    """Fields of a video that need no other file; ``tag`` changes with the content of the video file."""
    return {
        'video': row.video,
        'file': row.file,
        'num_frames': row.num_frames,
        'fps': row.fps,
        'seconds': float(workspace.times(row).seconds(row.num_frames)),
        'width': row.width,
        'height': row.height,
        'tag': content_tag(row, workspace.corpus.fps),
    }


def describe_corpus(workspace: Workspace) -> dict[str, Any]:
    """Name, sport, classes and what can be chosen of a corpus."""
    corpus = workspace.corpus
    folders = [path for path in list_folder(corpus.root / 'features') if path.is_dir()]
    return {
        'name': corpus.name,
        'folder': str(corpus.root),
        'sport': corpus.sport,
        'classes': load_classes(corpus.classes_path) if corpus.classes_path.exists() else [],
        'poses': corpus.pose_names(repaired=False),
        'repaired': sorted({*corpus.pose_names()} - {*corpus.pose_names(repaired=False)}),
        'features': [folder.name for folder in folders],
        'feature': workspace.features,
        'student': bool(workspace.student),
        'fps': corpus.fps,
    }
