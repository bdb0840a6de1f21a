"""Options of a prepare run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..athlete import FlowEstimator, SquareCropper
from ..athlete.track_rules import check_rules
from ..errors import UserError
from ..files import checked_name

#: Models of the zoos of mmdet and mmpose (COCO; eight body datasets), downloaded once.
DEFAULT_BOXES, DEFAULT_POSES = 'mmdet:rtmdet-m', 'mmpose:rtmpose-m'

#: Poses by MediaPipe: its "full" and its "heavy" model.
MEDIAPIPE_POSES = ('mediapipe', 'mediapipe:heavy')


@dataclass(frozen=True)
class PrepareSettings:
    """Options of a prepare run.

    Args:
        out: Folder of the corpus.
        boxes: ``full`` (whole frame), ``mediapipe`` (one athlete), ``mmdet:<config>[:<checkpoint>]``, or a folder of
            box files (``importers.box_files``).
        poses: ``none`` (a later run can add them), ``mediapipe``, ``mediapipe:heavy``,
            ``mmpose:<alias or config>[:<checkpoint>]``, or a folder of pose files (``importers.pose_files``).
        pose_name: Name of the pose set; '' = ``files``, ``mediapipe[-heavy]`` or the stem of the mmpose config.
        masks: Folder of mask files (``importers.mask_files``); '' = the folder of the boxes, where they come from one.
        size: Side of the crops, px.
        full_frame: Store the whole frames too, shorter side at most 320 px.
        flow, flow_checkpoint, subtract_median: See :class:`FlowEstimator`.
        fps: None = frames as decoded; a number = resample to this rate.
        device: Device of the models.
        batch_size: Frames per batch of a model.
        tracker: Rules of the tracker; see :mod:`vpd_mm.athlete.track_rules`.

    Raises UserError: an option has no valid value.
    """

    out: Path
    boxes: str = DEFAULT_BOXES
    poses: str = DEFAULT_POSES
    pose_name: str = ''
    masks: str = ''
    size: int = 128
    full_frame: bool = False
    flow: str = 'dis'
    flow_checkpoint: str | None = None
    subtract_median: bool = False
    fps: float | None = None
    device: str = 'auto'
    batch_size: int = 16
    tracker: Mapping = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.boxes != 'full' and not self.boxes_by_model and not Path(self.boxes).is_dir():
            kinds = 'full, mediapipe, mmdet:<config>[:<checkpoint>] or an existing folder'
            raise UserError(f'boxes {self.boxes!r}: must be {kinds}')
        if self.poses != 'none' and not self.poses_by_model and not Path(self.poses).is_dir():
            kinds = 'none, mediapipe, mediapipe:heavy, mmpose:<alias or config>[:<checkpoint>] or an existing folder'
            raise UserError(f'poses {self.poses!r}: must be {kinds}')
        if self.masks and not Path(self.masks).is_dir():
            raise UserError(f'masks {self.masks!r}: must be an existing folder')
        if self.batch_size < 1:
            raise UserError(f'batch size must be 1 or more, found {self.batch_size}')
        check_rules(self.tracker)
        SquareCropper(self.size)
        FlowEstimator('none' if self.flow == 'raft' else self.flow)
        if self.pose_set is not None:
            checked_name('pose set', self.pose_set)

    @property
    def boxes_by_model(self) -> bool:
        return self.boxes == 'mediapipe' or self.boxes.startswith('mmdet:')

    @property
    def poses_by_model(self) -> bool:
        return self.poses in MEDIAPIPE_POSES or self.poses.startswith('mmpose:')

    @property
    def mask_dir(self) -> str | None:
        """Folder of masks: as given, else the folder of the boxes."""
        return self.masks or (self.boxes if Path(self.boxes).is_dir() else None)

    @property
    def pose_set(self) -> str | None:
        """Name of the pose set in the corpus; None with ``poses='none'``."""
        if self.poses == 'none':
            return None
        if self.pose_name or self.poses in MEDIAPIPE_POSES:
            return self.pose_name or self.poses.replace(':', '-')
        if self.poses_by_model:
            return re.sub(r'[^A-Za-z0-9_.-]', '_', Path(split_model(self.poses)[0]).stem)
        return 'files'


def split_model(spec: str) -> tuple[str, str | None]:
    """Split ``mmdet:config[:checkpoint]`` into config and checkpoint (or None); a checkpoint may be a URL.

    A double colon belongs to the config: ``mmdet:mmdet::rtmdet/x.py``.
    """
    kind, _, rest = spec.partition(':')
    config, *checkpoint = re.split('(?<!:):(?!:)', rest, maxsplit=1)
    if not config:
        raise UserError(f'{spec!r}: names no config; write {kind}:<config>[:<checkpoint>]')
    return config, ''.join(checkpoint) or None
