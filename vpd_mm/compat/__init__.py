"""Bridges over upstream breaks, one module per upstream package; they act when upstream is imported."""

import sys

from . import checkpoint_loading, checkpoint_saving, mmaction, mmcv, mmengine, torchvision, xtcocotools
from .bridge import Bridge, BridgeFinder, copy_of, missing
from .checkpoint_loading import check_checkpoint, find_latest_checkpoint, load_checkpoint_safely

BRIDGES = (
    Bridge(
        'mmcv.ops',
        'https://github.com/open-mmlab/mmdetection/issues/11475',
        'nms, batched_nms, soft_nms, nms_match, roi_align in PyTorch; others import, and raise when used',
        mmcv.lacks_operators,
        stand_ins={'mmcv._ext': mmcv.fill_ext},
    ),
    Bridge(
        'mmcv version limit',
        'https://github.com/open-mmlab/mmdetection/issues/11763',
        'lifts the limit while mmdet and mmaction check it',
        mmcv.version_is_refused,
        around={'mmdet': mmcv.show_accepted_version, 'mmaction': mmcv.show_accepted_version},
    ),
    Bridge(
        'mmengine pkg_resources',
        'https://github.com/open-mmlab/mmcv/issues/3325',
        'looks packages up through importlib.metadata',
        mmengine.lacks_pkg_resources,
        around={'mmengine.utils.package_utils': mmengine.without_pkg_resources},
    ),
    Bridge(
        'mmengine collect_env',
        'mmengine/utils/dl_utils/collect_env.py:143, catches ModuleNotFoundError only',
        'reports a torchvision that does not import instead of failing',
        mmengine.torchvision_may_fail,
        around={'mmengine.utils.dl_utils.collect_env': mmengine.tolerant_collect_env},
    ),
    Bridge(
        'mmengine distutils',
        'mmengine/utils/dl_utils/collect_env.py:56, removed by PEP 632',
        'stands in for distutils.errors',
        missing('mmengine', 'distutils'),
        stand_ins={'distutils': None, 'distutils.errors': mmengine.fill_distutils_errors},
    ),
    Bridge(
        'mmengine config text',
        'mmengine/config/config.py:1486, about a second of yapf for each checkpoint, log and dump',
        'formats the same text once',
        mmengine.formats_again,
        around={'mmengine.config.config': mmengine.format_once},
    ),
    Bridge(
        'mmengine checkpoints',
        'https://github.com/open-mmlab/mmengine/issues/1655',
        'allows the types that a Runner writes; loads with weights_only=True, refuses the rest with one line',
        checkpoint_loading.cannot_resume,
        around={
            'mmengine.runner.checkpoint': checkpoint_loading.safe_loader,
            'mmengine.runner.runner': checkpoint_loading.resume_errors,
        },
    ),
    Bridge(
        'mmengine saving',
        'mmengine/hooks/checkpoint_hook.py:421, removes the old checkpoint before it saves the new one in place',
        'writes files under a temporary name; removes old checkpoints, those of the work dir only, after saving',
        checkpoint_saving.removes_first,
        around={
            'mmengine.fileio.backends.local_backend': checkpoint_saving.write_atomically,
            'mmengine.hooks.checkpoint_hook': checkpoint_saving.remove_after_saving,
        },
    ),
    Bridge(
        'torchvision operators',
        'https://github.com/pytorch/pytorch/issues/157648',
        'declares the operators nms and qnms; the pure-Python parts (RAFT, ResNet, transforms.v2) work',
        torchvision.lacks_operators,
        around={'torchvision': torchvision.declare_operators},
    ),
    Bridge(
        'mmaction2 DRN',
        'https://github.com/open-mmlab/mmaction2/issues/2714',
        'stands in for the module: mmaction.models imports, building DRN reports what to install',
        mmaction.lacks_drn,
        stand_ins={'mmaction.models.localizers.drn': None, 'mmaction.models.localizers.drn.drn': mmaction.fill_drn},
    ),
    Bridge(
        'mmaction2 importlib_metadata',
        'mmaction/utils/dependency.py:6, not in its requirements',
        "stands in with the standard library's importlib.metadata",
        mmaction.lacks_importlib_metadata,
        stand_ins={'importlib_metadata': copy_of('importlib.metadata')},
    ),
    Bridge(
        'mmaction2 decord',
        'https://github.com/dmlc/decord/issues/213',
        'DecordInit and DecordDecode read through PyAV',
        missing('mmaction', 'decord'),
        around={'mmaction.datasets.transforms.loading': mmaction.read_with_pyav},
    ),
    Bridge(
        'mmaction2 np.Inf',
        'mmaction/datasets/transforms/pose_transforms.py:505',
        'gives that module a copy of the NumPy namespace with the old name',
        mmaction.lacks_inf,
        around={'mmaction.datasets.transforms.pose_transforms': mmaction.with_inf},
    ),
    Bridge(
        'mmaction2 mean class accuracy',
        'mmaction/evaluation/functional/accuracy.py:89',
        'averages over the classes that have a clip',
        mmaction.averages_absent_classes,
        around={'mmaction.evaluation.functional.accuracy': mmaction.average_present_classes},
    ),
    Bridge(
        'mmaction2 transformers',
        'mmaction/models/multimodal/vindlu/modeling_bert.py:44',
        'VindLU is left out, so that mmaction.models imports',
        mmaction.transformers_is_new,
        around={'mmaction.utils.dependency': mmaction.without_multimodal},
    ),
    Bridge(
        'xtcocotools',
        'https://github.com/jin-s13/xtcocoapi/issues/45',
        'stands in with pycocotools (files, masks) and xthotcoco (evaluation)',
        missing('mmpose', 'xtcocotools'),
        stand_ins={
            'xtcocotools': None,
            'xtcocotools.coco': xtcocotools.fill_coco,
            'xtcocotools.cocoeval': xtcocotools.fill_cocoeval,
            'xtcocotools.mask': copy_of('pycocotools.mask'),
        },
    ),
    Bridge(
        'xtcocotools built for NumPy 1',
        'https://github.com/jin-s13/xtcocoapi/issues/45',
        "puts pycocotools' compiled masks under xtcocotools",
        xtcocotools.broken,
        stand_ins={'xtcocotools._mask': copy_of('pycocotools._mask')},
    ),
)


def install() -> None:
    """Arm every bridge once; imports nothing.  Each bridge acts only where its break is present."""
    if not any(isinstance(finder, BridgeFinder) for finder in sys.meta_path):
        finder = BridgeFinder(BRIDGES)
        sys.meta_path.insert(0, finder)
        finder.patch_imported()


__all__ = ['BRIDGES', 'Bridge', 'check_checkpoint', 'find_latest_checkpoint', 'install', 'load_checkpoint_safely']
