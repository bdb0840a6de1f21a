"""Bridges for mmaction2 1.2.0: a missing folder, an undeclared requirement, decord, NumPy 2, and transformers."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from ..errors import UserError
from .bridge import find_elsewhere, package_dir


def lacks_drn() -> str:
    root = package_dir('mmaction')
    localizers = root / 'models' / 'localizers' if root else None
    if localizers is None or not localizers.is_dir() or (localizers / 'drn' / 'drn.py').is_file():
        return ''
    return 'mmaction/models/localizers/drn is missing from the wheel'


def fill_drn(module: ModuleType) -> None:
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


def lacks_importlib_metadata() -> str:
    spec = find_elsewhere('importlib_metadata')
    # setuptools puts its private copy on sys.path once it is imported; do not rely on it.
    installed = spec is not None and '_vendor' not in str(spec.origin)
    return '' if installed or package_dir('mmaction') is None else 'importlib_metadata is not installed'


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

        return av.open(io.BytesIO(self._file), metadata_errors='replace')

    def __len__(self) -> int:
        return self._length

    def get_avg_fps(self) -> float:
        return self._fps

    def get_batch(self, indices: Sequence[int]) -> DecordLikeFrame:
        """Return frames (n, H, W, 3) RGB uint8 in the requested order; an index past the end gives the last frame."""
        wanted = [index + self._length * (index < 0) for index in np.ravel(indices).tolist()]
        frames: dict[int, np.ndarray] = {}
        newest = None
        with self._open() as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            for index, newest in enumerate(container.decode(stream)):
                if index in wanted:
                    frames[index] = newest.to_ndarray(format='rgb24')
                if index >= max(wanted):
                    break
        if newest is None:
            raise ValueError('the video has no frame that decodes')
        if past_end := set(wanted) - frames.keys():
            frames |= dict.fromkeys(past_end, newest.to_ndarray(format='rgb24'))
        return np.stack([frames[index] for index in wanted]).view(DecordLikeFrame)

    def seek(self, index: int) -> None:
        self._position = int(index)

    def next(self) -> DecordLikeFrame:
        self._position += 1
        return self.get_batch([self._position - 1])[0]


def read_with_pyav(module: ModuleType) -> Iterator[None]:
    yield

    def get_video_reader(self, filename: str) -> PyAVReader:
        if self.file_client is None:
            self.file_client = module.FileClient(self.io_backend, **self.kwargs)
        return PyAVReader(self.file_client.get(filename))

    module.DecordInit._get_video_reader = get_video_reader


def lacks_inf() -> str:
    return '' if package_dir('mmaction') is None or hasattr(np, 'Inf') else 'NumPy 2 has no np.Inf'


def with_inf(module: ModuleType) -> Iterator[None]:
    """Give the module a copy of the NumPy namespace; NumPy itself is unchanged."""
    yield
    copy = ModuleType('numpy', np.__doc__)
    vars(copy).update(vars(np), Inf=np.inf)
    setattr(module, 'np', copy)  # noqa: B010


def transformers_is_new() -> str:
    spec = find_elsewhere('transformers') if package_dir('mmaction') else None
    source = Path(spec.origin).with_name('modeling_utils.py') if spec and spec.origin else None
    if source is None or not source.is_file() or 'apply_chunking_to_forward' in source.read_text(encoding='utf-8'):
        return ''
    return 'transformers.modeling_utils has no apply_chunking_to_forward, which VindLU imports'


def without_multimodal(module: ModuleType) -> Iterator[None]:
    yield
    setattr(module, 'WITH_MULTIMODAL', False)  # noqa: B010
