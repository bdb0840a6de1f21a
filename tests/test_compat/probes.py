"""Run every upstream break in one process, with or without vpd_mm; prints what each probe raised, as JSON.

python probes.py (plain|bridged) FOLDER
"""

import contextlib
import importlib
import importlib.metadata
import json
import sys
import warnings
from pathlib import Path


def mmcv_version_limit(folder):
    mmcv = importlib.import_module('mmcv')
    true, mmcv.__version__ = mmcv.__version__, '2.2.0'
    try:
        importlib.import_module('mmdet')
        assert mmcv.__version__ == '2.2.0'
    finally:
        mmcv.__version__ = true
        sys.modules.pop('mmdet', None)


def mmengine_pkg_resources(folder):
    from mmengine.utils import get_installed_path, is_installed

    assert get_installed_path('mmaction2') == get_installed_path('mmaction')
    assert Path(get_installed_path('mmaction2'), 'registry.py').is_file()
    assert is_installed('mmaction2')
    assert not is_installed('no_such_package')


def xtcocotools(folder):
    importlib.import_module('xtcocotools.coco')
    importlib.import_module('xtcocotools.cocoeval')
    importlib.import_module('xtcocotools.mask')


def mmaction_metadata(folder):
    importlib.import_module('mmaction.utils.dependency')


def mmaction_drn(folder):
    # The other break of the same import is out of the way here.
    sys.modules.setdefault('importlib_metadata', importlib.metadata)
    importlib.import_module('mmaction.models')


def torchvision_ops(folder):
    importlib.import_module('torchvision.models.optical_flow')


def mmengine_env(folder):
    from mmengine.utils.dl_utils import collect_env

    assert 'PyTorch' in collect_env()


def mmengine_env_of_a_broken_torchvision(folder):
    """A torchvision that dies of something that no bridge foresees."""
    package = Path(folder, 'torchvision')
    package.mkdir()
    (package / '__init__.py').write_text("raise RuntimeError('no such kernel')")
    loaded = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition('.')[0] == 'torchvision'}
    sys.path.insert(0, str(folder))
    try:
        from mmengine.utils.dl_utils import collect_env

        assert 'no such kernel' in collect_env()['TorchVision']
    finally:
        sys.path.remove(str(folder))
        sys.modules.update(loaded)


def checkpoint(folder):
    import torch
    from mmengine.logging import HistoryBuffer
    from mmengine.runner.checkpoint import _load_checkpoint

    file = str(Path(folder, 'history.pth'))
    torch.save({'message_hub': {'log_scalars': {'train/loss': HistoryBuffer([1.0, 3.0], [1, 1])}}}, file)
    history = _load_checkpoint(file, 'cpu')['message_hub']['log_scalars']['train/loss']
    assert history.mean() == 2.0
    assert history.statistics('max') == 3.0


def mmcv_ops(folder):
    importlib.import_module('mmcv.ops')


def decord(folder):
    import numpy as np
    from mmaction.datasets.transforms import DecordDecode, DecordInit

    file = Path(folder, 'clip.mp4')
    write_clip(file)
    results = DecordInit().transform({'filename': str(file)})
    assert results['total_frames'] == 12
    results['frame_inds'] = np.array([7, 0, 7])
    images = DecordDecode().transform(results)['imgs']
    assert [round(image.mean() / 20) for image in images] == [7, 0, 7]
    assert round(results['avg_fps'], 3) == 16.176  # 11 steps of 17 ticks of 1/25 s


def pose_compact(folder):
    import numpy as np
    from mmaction.datasets.transforms import PoseCompact

    keypoint = np.array([[[[20.0, 30.0], [60.0, 90.0]]]])
    assert PoseCompact(padding=0).transform({'keypoint': keypoint, 'img_shape': (100, 100)})['img_shape'] == (60, 40)


def write_clip(file):
    """Twelve grey frames, the level of frame t is 20 t."""
    import av
    import numpy as np

    with av.open(str(file), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = 'yuv420p'
        for t in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * t, np.uint8), format='rgb24')
            frame.pts = t if t < 6 else 2 * t - 5
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def mean_class_accuracy(folder):
    """A class without clips that is predicted is not counted: two of three clips are right."""
    from mmaction.evaluation import mean_class_accuracy

    assert abs(mean_class_accuracy([[1, 0], [1, 0], [0, 1]], [0, 0, 0]) - 2 / 3) < 1e-9


# Order matters: what an earlier probe imports, a later one no longer tests.
PROBES = (
    mmcv_version_limit,
    mmengine_pkg_resources,
    xtcocotools,
    torchvision_ops,
    mmengine_env,
    mmengine_env_of_a_broken_torchvision,
    checkpoint,
    mmcv_ops,
    mmaction_metadata,
    mmaction_drn,
    decord,
    pose_compact,
    mean_class_accuracy,
)
PACKAGES = [
    f'{package}.{part}' for package in ('mmaction', 'mmpose', 'mmdet') for part in ('models', 'apis', 'datasets')
]
PACKAGES += ['mmpose.visualization', 'mmdet.visualization']


def outcome(function, *arguments):
    try:
        function(*arguments)
    except (Exception, SystemExit) as e:
        return f'{type(e).__name__}: {e}'
    return 'ok'


def run(mode, folder):
    warnings.simplefilter('ignore')
    answer = {'needed': {}}
    if mode == 'bridged':
        from vpd_mm import compat

        answer['needed'] = {bridge.name: bridge.applies() for bridge in compat.BRIDGES}
    with contextlib.redirect_stdout(sys.stderr):
        answer['probes'] = {probe.__name__: outcome(probe, folder) for probe in PROBES}
        if mode == 'bridged':
            answer['imports'] = {name: outcome(importlib.import_module, name) for name in PACKAGES}
    print(json.dumps(answer))


if __name__ == '__main__':
    run(*sys.argv[1:])
