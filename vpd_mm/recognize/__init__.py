"""Action recognition on feature sequences (paper 4.1)."""

from .bigru import BiGRU
from .confusion_image import ConfusionImage, confusion_matrix
from .log_loss import LogLoss, mean_log_loss
from .normalized_weight_decay import NormalizedWeightDecay
from .sequence_recognizer import SequenceRecognizer

__all__ = [
    'BiGRU',
    'ConfusionImage',
    'LogLoss',
    'NormalizedWeightDecay',
    'SequenceRecognizer',
    'confusion_matrix',
    'mean_log_loss',
]
