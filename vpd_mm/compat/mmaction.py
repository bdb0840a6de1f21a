"""Bridges for mmaction2 1.2.0: a missing folder, an undeclared requirement, decord, and NumPy 2."""

import importlib.metadata
import io
from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np

from ..errors import UserError
from .bridge import Bridge, empty_module, find_elsewhere, package_dir


def _lacks_drn() -> str:
    root = package_dir('mmaction')
    localizers = root / 'models' / 'localizers' if root else None
    if localizers is None or not localizers.is_dir() or (localizers / 'drn' / 'drn.py').is_file():
        return ''
    return 'mmaction/models/localizers/drn is missing from the wheel'


def _fill_drn(module: ModuleType) -> None:
    from mmaction.registry import MODELS

    class DRN:
        """Importable and registered; building it raises."""

        def __init__(self, *args, **kwargs) -> None:
            raise UserError(
                'DRN is missing from the mmaction2 1.2.0 wheel (mmaction2#2714); '
                'install mmaction2 from source: pip install git+https://github.com/open-mmlab/mmaction2'
            )

    DRN.__module__ = module.__name__
    MODELS.register_module(module=DRN)
    module.DRN = DRN  # type: ignore[attr-defined]


def _lacks_importlib_metadata() -> str:
    spec = find_elsewhere('importlib_metadata')
    # setuptools puts its private copy on sys.path once it is imported; do not rely on it.
    installed = spec is not None and '_vendor' not in str(spec.origin)
    return '' if installed or package_dir('mmaction') is None else 'importlib_metadata is not installed'


def _fill_importlib_metadata(module: ModuleType) -> None:
    public = {name: getattr(importlib.metadata, name) for name in importlib.metadata.__all__}
    vars(module).update(public, __all__=list(public))


def _lacks_decord() -> str:
    missing = package_dir('mmaction') is not None and find_elsewhere('decord') is None
    return 'decord is not installed' if missing else ''


class DecordLikeFrame(np.ndarray):
    """RGB uint8 array with the ``asnumpy`` of decord."""

    def asnumpy(self) -> np.ndarray:
        return self.view(np.ndarray)


class PyAVReader:
    """The part of ``decord.VideoReader`` that DecordInit and DecordDecode use, over PyAV.

    Frames are numbered in display order.  Opening counts the packets without decoding, as headers may be wrong; each
    request decodes from the start in one pass, so that frame numbers are exact.
    """

    def __init__(self, file: bytes) -> None:
        self._file = file
        self._position = 0
        with self._open() as container:
            stream = container.streams.video[0]
            self._fps = float(stream.average_rate or 0)
            self._length = sum(1 for packet in container.demux(stream) if packet.size)

    def _open(self):
        import av

        return av.open(io.BytesIO(self._file))

    def __len__(self) -> int:
        return self._length

    def get_avg_fps(self) -> float:
        return self._fps

    def get_batch(self, indices: Sequence[int]) -> DecordLikeFrame:
        """Return frames (n, H, W, 3) RGB uint8 in the requested order; an index past the end gives the last frame."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        wanted = np.where(wanted < 0, wanted + self._length, wanted)
        needed, last = set(wanted.tolist()), int(wanted.max(initial=-1))
        frames: dict[int, np.ndarray] = {}
        newest = None
        with self._open() as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            for index, newest in enumerate(container.decode(stream)):
                if index in needed:
                    frames[index] = newest.to_ndarray(format='rgb24')
                if index >= last:
                    break
        if newest is None:
            raise ValueError('the video has no frame that decodes')
        if len(frames) < len(needed):
            frames |= dict.fromkeys(needed - frames.keys(), newest.to_ndarray(format='rgb24'))
        return np.stack([frames[index] for index in wanted.tolist()]).view(DecordLikeFrame)

    def seek(self, index: int) -> None:
        self._position = int(index)

    def next(self) -> DecordLikeFrame:
        self._position += 1
        return self.get_batch([self._position - 1])[0]


def _read_with_pyav(module: ModuleType) -> Iterator[None]:
    yield

    def get_video_reader(self, filename: str) -> PyAVReader:
        if self.file_client is None:
            self.file_client = module.FileClient(self.io_backend, **self.kwargs)
        return PyAVReader(self.file_client.get(filename))

    module.DecordInit._get_video_reader = get_video_reader


def _lacks_inf() -> str:
    is_numpy_2 = package_dir('mmaction') is not None and np.lib.NumpyVersion(np.__version__) >= '2.0.0'
    return 'NumPy 2 has no np.Inf' if is_numpy_2 else ''


def _with_inf(module: ModuleType) -> Iterator[None]:
    """Give the module a copy of the NumPy namespace; NumPy itself is unchanged."""
    yield
    copy = ModuleType('numpy', np.__doc__)
    vars(copy).update(vars(np), Inf=np.inf)
    setattr(module, 'np', copy)  # noqa: B010


BRIDGES = (
    Bridge(
        name='mmaction2 DRN',
        upstream='https://github.com/open-mmlab/mmaction2/issues/2714',
        fix='stands in for the module: mmaction.models imports, building DRN reports what to install',
        applies=_lacks_drn,
        stand_ins={
            'mmaction.models.localizers.drn': empty_module,
            'mmaction.models.localizers.drn.drn': _fill_drn,
        },
    ),
    Bridge(
        name='mmaction2 importlib_metadata',
        upstream='mmaction/utils/dependency.py:6, not in its requirements',
        fix="stands in with the standard library's importlib.metadata",
        applies=_lacks_importlib_metadata,
        stand_ins={'importlib_metadata': _fill_importlib_metadata},
    ),
    Bridge(
        name='mmaction2 decord',
        upstream='https://github.com/dmlc/decord/issues/213',
        fix='DecordInit and DecordDecode read through PyAV',
        applies=_lacks_decord,
        around={'mmaction.datasets.transforms.loading': _read_with_pyav},
    ),
    Bridge(
        name='mmaction2 np.Inf',
        upstream='mmaction/datasets/transforms/pose_transforms.py:505',
        fix='gives that module a copy of the NumPy namespace with the old name',
        applies=_lacks_inf,
        around={'mmaction.datasets.transforms.pose_transforms': _with_inf},
    ),
)
