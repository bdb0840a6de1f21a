"""Training hooks."""

from .channels_last_hook import ChannelsLastHook
from .exact_resume_hook import ExactResumeHook
from .reduce_loss_hook import ReduceLossHook
from .smooth_metric_hook import SmoothMetricHook

__all__ = ['ChannelsLastHook', 'ExactResumeHook', 'ReduceLossHook', 'SmoothMetricHook']
