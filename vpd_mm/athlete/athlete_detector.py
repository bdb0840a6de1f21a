"""Person detection with any mmdet model."""

import numpy as np

from ..engine.model_zoo import ZooModel
from ..errors import UserError


class AthleteDetector(ZooModel):
    """Detect persons with an mmdet model.

    Runs the model's own test pipeline and preprocessor, in half precision on CUDA.  Uses the class ``person``, or the
    only class of a model with one class.

    Args:
        config: Config file, ``mmdet::path`` or a model zoo name such as ``rtmdet-m``.
        checkpoint: File or URL; default: the one of the model zoo.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...
        batch_size: Frames per forward pass.
        score_thr: Boxes with a lower score are dropped.

    Raises UserError: the config, name or checkpoint is missing or does not fit, or no class is a person.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str | None = None,
        device: str = 'auto',
        batch_size: int = 16,
        score_thr: float = 0.3,
    ) -> None:
        from mmdet.utils import get_test_pipeline_cfg

        super().__init__('mmdet', config, checkpoint, device, batch_size)
        self.score_thr = score_thr
        self.person = self._find_person(config)
        steps = [s for s in get_test_pipeline_cfg(self.model.cfg.copy()) if 'LoadAnnotations' not in str(s['type'])]
        steps[0]['type'] = 'mmdet.LoadImageFromNDArray'
        self.set_pipeline(steps)
        rules = getattr(getattr(self.model, 'bbox_head', None), 'test_cfg', None) or {}
        if 'score_thr' in rules:  # of NMS, in which a box has no effect on better ones; mmdet's value is 0.001 or 0.05
            rules['score_thr'] = max(rules['score_thr'], 0.99 * score_thr)

    def detect(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """Detect the persons in frames (H, W, 3) uint8 RGB of one size.

        Returns per frame (N, 5) float32: x1, y1, x2, y2 in px of the frame, score in [0, 1]; best first; N may be 0.
        """
        samples = [{'img': frame, 'img_id': 0} for frame in frames]
        starts = range(0, len(frames), self.batch_size)
        return [
            self._persons(instances)
            for start in starts
            for instances in self.predict(samples[start : start + self.batch_size])
        ]

    def _persons(self, instances) -> np.ndarray:
        bboxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
        boxes = np.column_stack([bboxes.float().cpu().numpy(), instances.scores.float().cpu().numpy()])
        keep = (instances.labels.cpu().numpy() == self.person) & (boxes[:, 4] >= self.score_thr)
        boxes = boxes[keep & np.isfinite(boxes).all(axis=1)]
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
