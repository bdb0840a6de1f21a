"""Action recognition on sequences of features; the few-shot protocol."""

from .bigru import BiGRU
from .confusion_image import ConfusionImage, confusion_matrix, draw_confusion
from .few_shot import draw_few_shot, few_shot_list
from .log_loss import LogLoss, mean_log_loss
from .sequence_recognizer import SequenceRecognizer

__all__ = [
    'BiGRU',
    'ConfusionImage',
    'LogLoss',
    'SequenceRecognizer',
    'confusion_matrix',
    'draw_confusion',
    'draw_few_shot',
    'few_shot_list',
    'mean_log_loss',
]
