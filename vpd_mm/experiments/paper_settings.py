"""Settings of the paper beside ours, which are read from the configs and the code (``python -m vpd_mm paper``)."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from .. import registry
from ..athlete import SquareCropper
from ..corpus import PROTOCOLS, SPORTS, VideoInfo, Window
from ..engine.config import read_config
from ..errors import UserError
from ..features.clips import clip_positions, interpolate
from ..features.corpus_config import apply_protocol
from ..recognize import SequenceRecognizer
from ..retrieve import NEAREST, RANKING, DTWRetriever
from ..structures import FeatureSequence, FrameTimes, PoseSequence
from ..teacher.joint_feature import JointFeature, fill_unseen, normalize_joints
from .tables import markdown_table

#: Short name to the config of a row.
CONFIGS = {
    'vipe': 'configs/teacher/vipe_fc1024_500e_mocap.py',
    'packed': 'configs/teacher/vipe_fc512_240e_synthetic.py',
    'distill': 'configs/distill/resnet34_2d-vpd_1000e.py',
    'bigru': 'configs/recognize/bigru.py',
    'bigru_200e': 'configs/recognize/bigru_200e.py',
    'detect': 'configs/detect/bigru_detector.py',
    'compare': 'configs/compare/fsjump6.py',
}
HEADER = ('setting', 'paper', 'published code', 'default', "protocol='paper'", 'why')
TITLE = """# The paper's settings and ours

Each setting as the paper states it, as the published code has it, and as it is here by default and with
`--protocol paper`.  Our columns are read from the configs and the code; `python -m vpd_mm paper --markdown` writes
this page.  (option): the default of the published code, of which an option gives the paper's value.
"""


class Setting(NamedTuple):
    """One row.

    Args:
        name: The setting.
        where: ``<name in CONFIGS or SPORTS>: <path>`` or ``<module>: <attribute>`` (:func:`value_of`), or a function
            of the protocol.
        paper: Value that the paper states.
        published: Value of the published code; ``<default> (option)`` where the paper's value is passed to it.
        why: Reason of a default that differs, or of a value that stays with protocol 'paper'.
    """

    name: str
    where: str | Callable[[str], Any]
    paper: Any
    published: Any
    why: str = ''

    def value(self, protocol: str) -> Any:
        """The value of this project under a protocol."""
        return self.where(protocol) if callable(self.where) else value_of(self.where, protocol)


def value_of(where: str, protocol: str) -> Any:
    """Read a value where it lives.

    A path goes through fields, entries of a list by their number or type, and last the default of an argument of the
    class that ``type`` names, or of the attribute of a module.

    Raises:
        UserError: there is no such value.

    Examples:
        >>> value_of('vpd_mm.athlete.square_cropper: PADDING', 'default')
        0.1
    """
    name, _, path = where.partition(': ')
    if name in CONFIGS:
        node: Any = _config(name, protocol)
    else:
        node = SPORTS[name].under(protocol) if name in SPORTS else importlib.import_module(name)
    for part in path.split('.'):
        try:
            node = _step(node, part)
        except (KeyError, IndexError, TypeError, ValueError, StopIteration) as e:
            raise UserError(f'{where}: no {part!r}') from e
    return node


@cache
def _config(name: str, protocol: str) -> Config:
    cfg = read_config(CONFIGS[name])
    apply_protocol(cfg, protocol)
    return cfg


def _step(node: Any, part: str) -> Any:
    if isinstance(node, Mapping):
        return node[part] if part in node else _default(_find_class(str(node['type'])), part)
    if isinstance(node, Sequence) and not isinstance(node, str):
        return node[int(part)] if part.isdigit() else next(entry for entry in node if entry['type'].endswith(part))
    return getattr(node, part) if hasattr(node, part) else _default(node, part)


def _default(function: Callable, argument: str) -> Any:
    return inspect.signature(function).parameters[argument].default


def _find_class(name: str) -> type:
    registries = (value for value in vars(registry).values() if isinstance(value, registry.Registry))
    return next(cls for item in registries if (cls := item.get(name)) is not None)


def _crop(protocol: str) -> tuple:
    return SquareCropper().window((100, 100, 151, 200), (90, 110, 140, 190))


def _filled(protocol: str) -> bool:
    scores = np.ones((2, 17), np.float32)
    scores[1, 5] = 0
    poses = PoseSequence(np.arange(2), np.arange(68, dtype=np.float32).reshape(2, 17, 2), scores)
    return bool((fill_unseen(poses).keypoints != poses.keypoints).any())


def _confidence_joints(protocol: str) -> int:
    scores = np.eye(17, dtype=np.float32)
    poses = PoseSequence(np.arange(17), np.tile(np.arange(34, dtype=np.float32).reshape(17, 2), (17, 1, 1)), scores)
    return int((JointFeature()(poses).scores > 0).sum())


def _gap(protocol: str) -> float:
    ends = FeatureSequence(np.array([0, 4]), np.array([[[0.0]], [[1.0]]], np.float32), np.ones(2, np.float32))
    return float(np.asarray(interpolate(ends, np.arange(5.0), 1))[0, 1, 0])


def _element_frames(protocol: str) -> int:
    sport = SPORTS['fx35'].under(protocol)
    return len(clip_positions(25, 50, FrameTimes(25.0), 100, sport.window, sport.fps))


def _left_out(protocol: str) -> list[int]:
    sport = SPORTS['diving48'].under(protocol)
    return sorted({*range(30)} - {*clip_positions(0, 30, FrameTimes(30.0), 30, sport.window, sport.fps).tolist()})


def _first_validations(protocol: str) -> list[int]:
    interval = _config('bigru', protocol).train_cfg.val_interval
    return [interval, 2 * interval]


def _validation_samples(protocol: str) -> int:
    backbone = {'type': 'vpd_mm.BiGRU', 'in_dims': 1, 'hidden_dims': 1}
    inputs = {'feats': torch.zeros(2, 3, 1), 'lengths': torch.tensor([3, 3]), 'views': [2]}
    return len(SequenceRecognizer(backbone, 2).eval()(inputs, mode='predict'))


def _later_wins(protocol: str) -> bool:
    return CheckpointHook.rule_map[_config('bigru', protocol).default_hooks.checkpoint.rule](1, 1)


def _augmented_validation(protocol: str) -> bool:
    return any(
        step['type'] == 'CropColorJitter' for step in _config('distill', protocol).val_dataloader.dataset.pipeline
    )


def _fold_unit(protocol: str) -> str:
    files = {VideoInfo(f'{player}__point', '', 25.0, 1, 1, 1).file for player in ('front', 'back')}
    return 'video file' if len(files) == 1 else 'player clip'


def _patience(config: str) -> Callable[[str], int | None]:
    def value(protocol: str) -> int | None:
        hooks = _config(config, protocol).get('custom_hooks') or []
        patience = next((hook['patience'] for hook in hooks if hook['type'] == 'EarlyStoppingHook'), None)
        return patience and patience * _config(config, protocol).train_cfg.val_interval

    return value


def _retriever(table: Mapping[str, Mapping], argument: str) -> Callable[[str], Any]:
    return lambda protocol: table[protocol].get(argument, _default(DTWRetriever, argument))


def _torso(protocol: str) -> float:
    joints = normalize_joints(np.random.default_rng(0).normal(size=(13, 2)))[[1, 2, 7, 8]]
    return float(np.linalg.norm(joints[:, None] - joints[None], axis=-1).max())


def _each_sport(setting: tuple[str, str], *values: tuple) -> list[tuple]:
    """The row of each data set: ``setting`` is its name and path, ``values`` paper, published, why of each."""
    titles = {'fsjump6': 'FSJump6', 'tennis7': 'Tennis7', 'fx35': 'FX35', 'diving48': 'Diving48'}
    name, path = setting
    rows = zip(titles.items(), values, strict=True)
    return [(f'{name}, {title}', f'{sport}: {path}', *row) for (sport, title), row in rows]


_CROPS = 'distill: train_dataloader.dataset.pipeline'
_SAME_VIDEO = 'frames of one video are nearly equal; the published validation measures memory'
_SELECTS = 'validation data select the checkpoint'
_TEST_SET = 'a choice on the test set is optimistic'
_MIRROR = 'an action and its mirror image have one class'
_NO_PATH = 'a clip without a path still has a rank'
_STEPS = 'fewer steps, for CPUs; the effect on AP is not measured'
_CORE = 'trained on generated poses, in 45 minutes on one core'
_RATE = 'one rate for all videos, as in the other data sets'
_EQUAL = 'equal kernels cannot tell the channels apart at the start'
_FLOW = 'error on held-out videos 0.783, 0.776 against 0.789, 0.783 (resnet18_2d-vpd_40e_synthetic)'
_LAST = 'the last epoch is taken; the left-out folds choose the threshold'
_TIMES = 'each sample is the frame at or before its time'
_BOTH = 'both players of a point are either labelled or left out'
_FINER = 'finer, and chosen on the left-out folds'
_TENTHS, _TWENTIETHS = tuple(i / 10 for i in range(1, 10)), tuple(i / 20 for i in range(1, 11))
_BEST = 'a later epoch may be better on the validation data'

#: Step to rows (name, where, paper, published, why) of :class:`Setting`; '' is not stated.
ROWS: dict[str, list[tuple]] = {
    'Athlete': [
        ('padding of a box on each side', 'vpd_mm.athlete.square_cropper: PADDING', 0.1, 0.1),
        ('crop of the boxes (100, 100, 151, 200) and (90, 110, 140, 190)', _crop, '', (60, 90, 120)),
        ('side of a crop, px', 'vpd_mm.athlete: SquareCropper.size', 128, 128),
        ('optical flow', 'vpd_mm.athlete: FlowEstimator.method', 'raft', 'raft', 'dis needs no weights and no GPU'),
        ('limit of the flow, px', 'vpd_mm.athlete: FlowEstimator.clip', 20, 20),
        ('median flow subtracted', 'vpd_mm.athlete: FlowEstimator.subtract_median', '', False),
        ('least score of a mask', 'vpd_mm.importers.mask_files: MIN_SCORE', '', 0.8),
    ],
    'Normalised 2D joints': [
        ('D', 'vpd_mm.teacher: JointFeature.dims', 26, 26),
        ('size of the torso', _torso, 0.5, 0.5),
        ('joints whose mean score is the confidence', _confidence_joints, '', 17, 'the teacher has no eyes and ears'),
        ('lost joints are filled in', _filled, '', False, 'at (0, 0) they distort the size of the torso'),
    ],
    'VIPE*': [
        ('joints of the input', 'vpd_mm.teacher.vipe_encoder: NUM_JOINTS', 13, 13),
        ('D', 'vipe: model.encoder.dims', 64, '32 (option)'),
        ('width of the encoder', 'vipe: model.encoder.hidden_dims', 1024, 1024),
        ('dropout of the encoder', 'vipe: model.encoder.dropout', '', 0.2),
        ('blocks return x + f(x), no first ReLU', 'vipe: model.encoder.plain', '', False),
        ('width of the decoder', 'vipe: model.decoder_dims', '', 512),
        ('weight of the 3D loss', 'vipe: model.decode_weight', '', 1),
        ('margin of different poses', 'vipe: model.margin', '', 1),
        ('negatives of the same sequence', 'vipe: train_dataloader.dataset.negatives', True, True),
        ('draws of a negative', 'vpd_mm.teacher.vipe_dataset: NEGATIVE_DRAWS', '', 10),
        ('share of projected views', 'vipe: train_dataloader.dataset.projected', '', 0.5),
        ('optimiser', 'vipe: optim_wrapper.optimizer.type', 'AdamW', 'AdamW'),
        ('learning rate', 'vipe: optim_wrapper.optimizer.lr', '', 1e-4),
        ('batch', 'vipe: train_dataloader.batch_size', '', 100),
        ('draws an epoch', 'vipe: train_dataloader.sampler.num_samples', '', 50000),
        ('epochs', 'vipe: train_cfg.max_epochs', '', 500),
        ('selected by', 'vipe: default_hooks.checkpoint.save_best', '', 'loss', 'the loss is mostly of the decoder'),
        ('packed: width of the encoder', 'packed: model.encoder.hidden_dims', 1024, 1024, _CORE),
        ('packed: epochs', 'packed: train_cfg.max_epochs', '', 500, _CORE),
        ('packed: negatives of the same sequence', 'packed: train_dataloader.dataset.negatives', True, True, _CORE),
    ],
    'Distillation': [
        ('network', 'vpd_mm.distill: TorchvisionBackbone.name', 'resnet34', 'resnet34'),
        ('channels', 'distill: model.student.in_channels', 5, '3 (option)'),
        ('first kernels all start as their mean', 'distill: model.student.mean_kernels', '', True, _EQUAL),
        ('width of the decoder', 'vpd_mm.distill: MotionDecoder.hidden_dims', 128, 128),
        ('target of motion', 'distill: train_dataloader.dataset.motion', True, 'no (option)'),
        ('least confidence', 'fx35: min_score', 0.5, 0.5),
        ('least confidence, tennis', 'tennis7: min_score', 0.7, '0.5 (option)'),
        ('pose in t - 1 required', 'distill: train_dataloader.dataset.require_previous_pose', True, True),
        ('splits of the videos', 'distill: train_dataloader.dataset.splits', ('train', 'val'), 'all (option)'),
        ('share held out', 'distill: train_dataloader.dataset.val_ratio', '', 0.2),
        ('unit held out', 'distill: train_dataloader.dataset.holdout', '', 'frame', _SAME_VIDEO),
        ('validation on augmented crops', _augmented_validation, '', True, 'the same crops in each epoch'),
        ('selected by', 'distill: default_hooks.checkpoint.save_best', '', 'distill/sq_error_mean'),
        ('epochs of the mean', 'distill: custom_hooks.SmoothMetricHook.window', 5, 5),
        ('optimiser', 'distill: optim_wrapper.optimizer.type', 'AdamW', 'AdamW'),
        ('learning rate', 'distill: optim_wrapper.optimizer.lr', 5e-4, 5e-4),
        ('weight decay', 'distill: optim_wrapper.optimizer.weight_decay', '', 0.01),
        ('mixed precision', 'distill: optim_wrapper.type', 'AmpOptimWrapper', 'AmpOptimWrapper'),
        ('batch', 'distill: train_dataloader.batch_size', 100, 100),
        ('draws an epoch', 'distill: train_dataloader.sampler.num_samples', 20000, 20000),
        ('epochs', 'distill: train_cfg.max_epochs', 1000, 1000),
        ('scale of the random crop', _CROPS + '.ResizedCrop.scale', (0.5, 1), (0.5, 1)),
        ('ratio of its sides', _CROPS + '.ResizedCrop.ratio', (0.9, 1.1), (0.9, 1.1)),
        ('brightness', _CROPS + '.CropColorJitter.brightness', 0.2, 0.2),
        ('contrast', _CROPS + '.CropColorJitter.contrast', 0.2, 0.2),
        ('saturation', _CROPS + '.CropColorJitter.saturation', 0.05, 0.05),
        ('hue', _CROPS + '.CropColorJitter.hue', 0.05, 0.05),
        ('noise: probability', _CROPS + '.BackgroundNoise.prob', 0.5, 0.5),
        ('noise: variance, normalised', _CROPS + '.BackgroundNoise.variance', 0.05, 0.05),
        ('flip: probability', _CROPS + '.ChiralFlip.prob', 0.5, 0.5),
        ('divisor of the flow', 'distill: model.data_preprocessor.flow_std', '', 41, _FLOW),
        *_each_sport(
            ('mean colour', 'rgb.mean'),
            ('', (146.57, 143.92, 161.53)),
            ('', (112.6, 119.93, 115.62)),
            ('', (97.93, 88.65, 104.55)),
            ('', (86.99, 118.19, 131.64)),
        ),
        *_each_sport(
            ('deviation', 'rgb.std'),
            ('', (54.44, 55.66, 52)),
            ('', (34.49, 30.8, 32.17)),
            ('', (49.74, 48.41, 50.73)),
            ('', (41.57, 43.59, 49.13)),
        ),
    ],
    'Clips': [
        *_each_sport(
            ('window', 'window'),
            (Window(2.5, 0.5, 'middle'), Window(2.5, 0.5, 'middle')),
            (Window(0.5, 0.5, 'start'), Window(0.5, 0.5, 'start')),
            (Window(0.25), Window(0.25)),
            (Window(), Window()),
        ),
        *_each_sport(('rate', 'fps'), ('', None, _RATE), ('', None, _RATE), (25, 25), (25, 25)),
        ('first of three lost frames between 0 and 1', _gap, '', 0.75, 'the published weights are swapped'),
        ('frames of an element from 1 s to 2 s, FX35', _element_frames, '', 33, 'the end is exclusive'),
        ('frames left out of a dive of one second at 30 fps', _left_out, '', (1, 7, 13, 20, 26), _TIMES),
        *_each_sport(
            ('training splits', 'train_splits'),
            (('train',), ('train',)),
            (('train',), ('train',)),
            ('', ('train', 'val'), _SELECTS),
            ('', ('train', 'val'), _SELECTS),
        ),
        *_each_sport(
            ('selected on', 'selection'),
            ('val', 'val'),
            ('val', 'val'),
            ('', 'test', _TEST_SET),
            ('', 'test', _TEST_SET),
        ),
    ],
    'Recognition': [
        ('BiGRU: width', 'bigru: model.backbone.hidden_dims', 128, 128),
        ('BiGRU: layers', 'bigru: model.backbone.num_layers', 2, 2),
        ('dropout of the input', 'bigru: model.backbone.input_dropout', 0.2, 0.2),
        ('pool', 'bigru: model.backbone.pool', 'max', 'max'),
        ('head: width', 'bigru: model.hidden_dims', 256, 256),
        ('head: dropout', 'bigru: model.dropout', 0.5, 0.5),
        ('label smoothing', 'bigru: model.label_smoothing', 0, 0),
        ('optimiser', 'bigru: optim_wrapper.optimizer.type', 'AdamW', 'AdamW'),
        ('learning rate', 'bigru: optim_wrapper.optimizer.lr', 1e-3, 1e-3),
        ('mixed precision', 'bigru: optim_wrapper.type', '', 'AmpOptimWrapper', 'of use on a GPU; train.py --amp'),
        ('batch', 'bigru: train_dataloader.batch_size', 50, 50),
        ('epochs', 'bigru: train_cfg.max_epochs', 500, 500),
        ('epochs, all of Diving48', 'bigru_200e: train_cfg.max_epochs', '', 200),
        ('periods of the restarts', 'bigru: param_scheduler.CosineRestartLR.periods', '', (50, 100, 200, 400)),
        ('weight decay normalised', 'bigru: param_scheduler.1.type', '', 'NormalizedWeightDecay'),
        ('validation every, epochs', 'bigru: train_cfg.val_interval', '', 10),
        ('first validations after epoch', _first_validations, '', (1, 11), 'the last one is after the last epoch'),
        ('samples of a validation clip with both views', _validation_samples, '', 2, 'as in the test'),
        ('of equal epochs the later one is kept', _later_wins, '', True, 'as mmengine; the loss makes ties rare'),
        ('selected by', 'bigru: default_hooks.checkpoint.save_best', '', 'nll/top1_then_loss'),
        ('epochs without gain before the end', _patience('bigru'), '', 170, _BEST),
        ('epochs without gain before the end, all of Diving48', _patience('bigru_200e'), '', 70, _BEST),
        ('subsets a k', 'compare: subsets', 5, '1 (option)'),
        ('k', 'compare: ks', (4, 8, 16, 32, 64, 'all'), 'all (option)'),
        ('neighbour: views', _retriever(NEAREST, 'views'), '', 'every', _MIRROR),
        ('neighbour: symmetric2 without a path', _retriever(NEAREST, 'fallback'), '', True),
    ],
    'Retrieval': [
        ('views', _retriever(RANKING, 'views'), '', 'joined', _MIRROR),
        ('symmetric2 without a path', _retriever(RANKING, 'fallback'), '', False, _NO_PATH),
        ('queries, FSJump6', 'fsjump6: queries', '', None),
        ('queries, Diving48', 'diving48: queries', 'test', 'test'),
    ],
    'Detection': [
        ('BiGRU: width', 'detect: model.backbone.hidden_dims', 128, 128),
        ('BiGRU: layers', 'detect: model.backbone.num_layers', 2, 2),
        ('dropout of the input', 'detect: model.backbone.input_dropout', '', 0.2),
        ('head: dropout', 'detect: model.dropout', '', 0.5),
        ('window, frames', 'detect: train_dataloader.dataset.window', 250, 250),
        ('windows an epoch', 'detect: train_dataloader.dataset.num_windows', '', 5000, _STEPS),
        ('batch', 'detect: train_dataloader.batch_size', '', 100, _STEPS),
        ('epochs', 'detect: train_cfg.max_epochs', '', 200, _STEPS),
        ('optimiser', 'detect: optim_wrapper.optimizer.type', 'AdamW', 'AdamW'),
        ('learning rate', 'detect: optim_wrapper.optimizer.lr', '', 1e-3),
        ('weight decay', 'detect: optim_wrapper.optimizer.weight_decay', '', 0.01),
        ('limit of the gradient', 'detect: optim_wrapper.clip_grad', '', None, 'the effect on AP is not measured'),
        ('schedule', 'detect: param_scheduler', '', None, _LAST),
        ('epochs without gain before the end', _patience('detect'), '', 50, _LAST),
        ('models, one a fold', 'detect: folds', 5, '1 (option)'),
        ('unit of a fold', _fold_unit, '', 'player clip', _BOTH),
        ('swing, Tennis7', 'tennis7: widen', Window(0.1, 0.1, 'start'), Window(0.1, 0.1, 'start')),
        ('thresholds, FSJump6', 'fsjump6: thresholds', '', _TENTHS, _FINER),
        ('thresholds, Tennis7', 'tennis7: thresholds', '', _TWENTIETHS, _FINER),
        ('runs are merged up to a distance of, frames', 'vpd_mm.detect: find_proposals.max_gap', 1, 1),
        ('least frames of a proposal', 'vpd_mm.detect: find_proposals.min_frames', '', 5),
        ('labelled videos', 'compare: detection.ks', (5,), 'all (option)'),
    ],
}
SETTINGS = {step: [Setting(*row) for row in rows] for step, rows in ROWS.items()}


def text_of(value: Any) -> str:
    """A value as a cell of the table."""
    if value == Window():
        return 'the action alone'
    if isinstance(value, Window):
        anchor = {'ends': 'the ends', 'middle': 'the middle', 'start': 'the start'}[value.around]
        return f'-{value.before_sec:g} s, +{value.after_sec:g} s around {anchor}'
    if value is None or isinstance(value, bool):
        return {None: 'none', True: 'yes', False: 'no'}[value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ', '.join(map(text_of, value))
    if isinstance(value, Mapping):
        return ', '.join(f'{key} {text_of(item)}' for key, item in value.items())
    return f'{value:g}' if isinstance(value, (int, float)) else str(value)


def cells(setting: Setting) -> list[str]:
    """The row of a setting in the order of ``HEADER``."""
    values = (setting.paper, setting.published, *(setting.value(protocol) for protocol in PROTOCOLS))
    return [setting.name, *map(text_of, values), setting.why]


def settings_markdown() -> str:
    """The page: one table a step."""
    tables = (
        f'## {step}\n\n{markdown_table(HEADER, list(map(cells, rows)), "---")}' for step, rows in SETTINGS.items()
    )
    return '\n'.join([TITLE, *tables])
