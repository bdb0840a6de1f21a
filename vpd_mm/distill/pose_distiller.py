"""Training of the student with the squared error to the teacher's pose and motion (paper 3.2)."""

import torch
from mmengine.model import BaseModel
from torch.nn import functional as F

from ..errors import UserError
from ..registry import MODELS
from ..teacher import JointFeature
from ..teacher.joint_feature import FLIP_ORDER


@MODELS.register_module()
class PoseDistiller(BaseModel):
    """Student and decoder.

    ``forward(inputs, data_samples, mode)`` takes inputs (N, 5, H, W) and collated samples, a dict of ``target``
    (N, 2 D or D), ``score`` (N,), ``index`` (N,):

    - 'tensor': the feature (N, D), which is used after training;
    - 'loss': ``{'loss': squared error summed over dimensions, mean over the batch}``;
    - 'predict': one dict for the batch: ``feature`` (N, D), ``decoded`` (N, 2 D or D), and the entries of the samples.

    Args:
        student: Config of :class:`PoseStudent`.
        decoder: Config of :class:`MotionDecoder`; None trains the feature on the pose alone (ablation of the paper).
        data_preprocessor: Default :class:`CropPreprocessor`.
        channels_last: Memory format of the network; faster on CPUs and on GPUs with AMP.
        test_cfg: ``dict(flip_test=True)`` averages ``decoded`` over the original and the flipped crop; 2D joints only.

    Raises:
        UserError: student and decoder differ in D, flip_test with other features, or targets of another length.
    """

    def __init__(
        self,
        student: dict,
        decoder: dict | None = None,
        data_preprocessor: dict | None = None,
        channels_last: bool = False,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or {'type': 'vpd_mm.CropPreprocessor'}, init_cfg)
        self.student = MODELS.build(student)
        self.decoder = MODELS.build(decoder) if decoder else None
        if self.decoder is not None and self.decoder.dims != self.student.out_dims:
            dims = f'student {self.student.out_dims}, decoder {self.decoder.dims}'
            raise UserError(f'PoseDistiller: student and decoder must have the same D, found {dims}')
        if channels_last:
            self.student.to(memory_format=torch.channels_last)
        self.channels_last = channels_last
        self.flip_test = bool((test_cfg or {}).get('flip_test', False))
        if self.flip_test and self.student.out_dims != JointFeature.dims:
            raise UserError(
                f'PoseDistiller: flip_test mirrors 2D joints (D = {JointFeature.dims}), '
                f'found D = {self.student.out_dims}; take it out of test_cfg'
            )

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Decode features (N, D) to the dimensions of the target."""
        return features if self.decoder is None else self.decoder(features)

    def forward(self, inputs: torch.Tensor, data_samples: dict | None = None, mode: str = 'tensor'):
        if self.channels_last:
            inputs = inputs.to(memory_format=torch.channels_last)
        features = self.student(inputs)
        if mode == 'tensor':
            return features
        decoded = self.decode(features)
        if mode == 'loss':
            return {'loss': self.loss(decoded, self._target(data_samples or {}, decoded.shape[1]))}
        if mode == 'predict':
            if self.flip_test:
                decoded = mean_of_views(decoded, self.decode(self.student(mirror_crops(inputs))))
            return [{'feature': features, 'decoded': decoded, **(data_samples or {})}]
        raise ValueError(f"PoseDistiller: mode must be 'tensor', 'loss' or 'predict', found {mode!r}")

    @staticmethod
    def loss(decoded: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Squared error summed over dimensions, mean over the batch, in float32; NaN targets are ignored."""
        decoded = decoded.float()
        target = torch.where(target.isnan(), decoded.detach(), target.float())
        return F.mse_loss(decoded, target, reduction='sum') / len(target)

    def _target(self, data_samples: dict, dims: int) -> torch.Tensor:
        target = data_samples.get('target')
        if target is None or target.shape[1] != dims:
            motion = 'off' if self.decoder is None else 'on'
            raise UserError(
                f'PoseDistiller: the targets must have {dims} numbers (D = {self.student.out_dims}, motion {motion}), '
                f"found {'none' if target is None else target.shape[1]}; set out_dims to the teacher's D"
            )
        return target


def mirror_crops(inputs: torch.Tensor) -> torch.Tensor:
    """Mirror crops (N, 3 or 5 F, H, W) of R, G, B, u, v in F frames and negate u."""
    mirrored = inputs.flip(-1)
    if inputs.shape[1] > 3:
        mirrored[:, 3::5].neg_()
    return mirrored


def mean_of_views(original: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
    """Average 2D joints (and their change) (N, 26 or 52) of original and flipped crops, in the original view."""
    back = flipped.unflatten(-1, (-1, len(FLIP_ORDER), 2))[..., FLIP_ORDER, :] * flipped.new_tensor([-1, 1])
    return (original + back.flatten(-3)) / 2
