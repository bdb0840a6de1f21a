"""The registries of vpd_mm: scope ``vpd_mm``, a child of every mmengine root.

A component has its bare name within vpd_mm and ``vpd_mm.<Name>`` elsewhere.  Foreign types keep their prefix
(``mmaction.ResNet``): bare names never reach a sibling scope.  Only mmengine is imported here; the packages in
``locations`` are imported at the first look-up.
"""

from mmengine import registry as roots
from mmengine.registry import Registry

SCOPE = 'vpd_mm'

_MODEL_PACKAGES = ['vpd_mm.teacher', 'vpd_mm.distill', 'vpd_mm.recognize', 'vpd_mm.detect', 'vpd_mm.baselines']
_DATA_PACKAGES = ['vpd_mm.teacher', 'vpd_mm.distill', 'vpd_mm.features', 'vpd_mm.detect', 'vpd_mm.baselines']
_METRIC_PACKAGES = [
    'vpd_mm.teacher',
    'vpd_mm.distill',
    'vpd_mm.recognize',
    'vpd_mm.detect',
    'vpd_mm.baselines',
]


def _child(root: Registry, locations: list[str]) -> Registry:
    return Registry(root.name, parent=root, scope=SCOPE, locations=locations)


RUNNERS = _child(roots.RUNNERS, [])
RUNNER_CONSTRUCTORS = _child(roots.RUNNER_CONSTRUCTORS, [])
LOOPS = _child(roots.LOOPS, ['vpd_mm.engine.iter_loop'])
HOOKS = _child(roots.HOOKS, ['vpd_mm.engine.hooks'])
STRATEGIES = _child(roots.STRATEGIES, [])
DATASETS = _child(roots.DATASETS, _DATA_PACKAGES)
DATA_SAMPLERS = _child(roots.DATA_SAMPLERS, _DATA_PACKAGES)
TRANSFORMS = _child(roots.TRANSFORMS, _DATA_PACKAGES)
MODELS = _child(roots.MODELS, _MODEL_PACKAGES)
MODEL_WRAPPERS = _child(roots.MODEL_WRAPPERS, [])
WEIGHT_INITIALIZERS = _child(roots.WEIGHT_INITIALIZERS, [])
OPTIMIZERS = _child(roots.OPTIMIZERS, [])
OPTIM_WRAPPERS = _child(roots.OPTIM_WRAPPERS, ['vpd_mm.engine.cpu_autocast'])
OPTIM_WRAPPER_CONSTRUCTORS = _child(roots.OPTIM_WRAPPER_CONSTRUCTORS, [])
PARAM_SCHEDULERS = _child(roots.PARAM_SCHEDULERS, ['vpd_mm.recognize'])
METRICS = _child(roots.METRICS, _METRIC_PACKAGES)
EVALUATOR = _child(roots.EVALUATOR, [])
TASK_UTILS = _child(roots.TASK_UTILS, ['vpd_mm.teacher', 'vpd_mm.synthetic', 'vpd_mm.importers'])
VISUALIZERS = _child(roots.VISUALIZERS, [])
VISBACKENDS = _child(roots.VISBACKENDS, [])
LOG_PROCESSORS = _child(roots.LOG_PROCESSORS, [])
INFERENCERS = _child(roots.INFERENCERS, ['vpd_mm.infer.vpd_inferencer'])
FUNCTIONS = _child(roots.FUNCTIONS, ['vpd_mm.distill'])
