"""Person detection with any mmdet model."""

import contextlib

import numpy as np

from ..engine.model_zoo import load_model, pick_device
from ..errors import UserError


class AthleteDetector:
    """Detect persons with an mmdet model.

    Runs the model's own test pipeline and preprocessor, in half precision on CUDA.  Uses the class ``person``, or the
    only class of a model with one class.

    Args:
        config: Config file, ``mmdet::path`` or a model zoo name such as ``rtmdet-m``.
        checkpoint: File or URL; default: the one of the model zoo.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...
        batch_size: Frames per forward pass.
        score_thr: Boxes with a lower score are dropped.

    Raises:
        UserError: the config, name or checkpoint is missing or does not fit, or no class is a person.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str | None = None,
        device: str = 'auto',
        batch_size: int = 16,
        score_thr: float = 0.3,
    ) -> None:
        if batch_size < 1:
            raise UserError(f'AthleteDetector: batch_size must be at least 1, got {batch_size}')
        self.model = load_model('mmdet', config, checkpoint, pick_device(device))
        self.batch_size = batch_size
        self.score_thr = score_thr
        self.person = self._find_person(config)
        self._pipeline = self._build_pipeline()

    def detect(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """Detect the persons in frames of one size.

        Args:
            frames: (H, W, 3) uint8 RGB each.

        Returns:
            Per frame (N, 5) float32: x1, y1, x2, y2 in px of the frame, score in [0, 1]; best first; N may be 0.
        """
        starts = range(0, len(frames), self.batch_size)
        return [boxes for start in starts for boxes in self._detect_batch(frames[start : start + self.batch_size])]

    def _detect_batch(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        import torch
        from mmengine.dataset import pseudo_collate

        # OpenMMLab expects images in memory as BGR; the model's preprocessor converts them if its weights need RGB.
        data = [self._pipeline({'img': np.ascontiguousarray(frame[..., ::-1]), 'img_id': 0}) for frame in frames]
        device = next(self.model.parameters()).device.type
        half = torch.autocast('cuda', dtype=torch.float16) if device == 'cuda' else contextlib.nullcontext()
        with torch.inference_mode(), half:
            results = self.model.test_step(pseudo_collate(data))
        return [self._persons(result.pred_instances) for result in results]

    def _persons(self, instances) -> np.ndarray:
        bboxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
        boxes = np.column_stack([bboxes.float().cpu().numpy(), instances.scores.float().cpu().numpy()])
        keep = (instances.labels.cpu().numpy() == self.person) & (boxes[:, 4] >= self.score_thr)
        keep &= np.isfinite(boxes).all(axis=1)
        boxes = boxes[keep].astype(np.float32)
        return boxes[np.argsort(-boxes[:, 4], kind='stable')]

    def _find_person(self, config: str) -> int:
        from mmdet.evaluation import get_classes

        metainfo = self.model.cfg.test_dataloader.dataset.get('metainfo', {})
        classes = self.model.dataset_meta.get('classes') or metainfo.get('classes') or get_classes('coco')
        names = [classes] if isinstance(classes, str) else [name.lower() for name in classes]
        if len(names) > 1 and 'person' not in names:
            some = ', '.join(classes[:5])
            raise UserError(f'mmdet model {config}: none of its {len(classes)} classes ({some}, ...) is "person"')
        return names.index('person') if len(names) > 1 else 0

    def _build_pipeline(self):
        from mmdet.utils import get_test_pipeline_cfg
        from mmengine.dataset import Compose
        from mmengine.registry import DefaultScope

        cfg = self.model.cfg
        steps = [step for step in get_test_pipeline_cfg(cfg.copy()) if 'LoadAnnotations' not in str(step['type'])]
        steps[0]['type'] = 'mmdet.LoadImageFromNDArray'
        for step in steps:
            if 'meta_keys' in step:
                step['meta_keys'] = tuple(key for key in step['meta_keys'] if key != 'img_id')
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmdet')):
            return Compose(steps)
