"""Reader for mmaction2's DecordInit and DecordDecode where decord has no wheel (Apple silicon, new Pythons)."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

import numpy as np

from .bridge import Bridge, find_elsewhere, package_dir


def applies() -> str:
    missing = package_dir('mmaction') is not None and find_elsewhere('decord') is None
    return 'decord is not installed' if missing else ''


class DecordLikeFrame(np.ndarray):
    """RGB uint8 array with the ``asnumpy`` of decord."""

    def asnumpy(self) -> np.ndarray:
        return self.view(np.ndarray)


class PyAVReader:
    """The part of ``decord.VideoReader`` that mmaction2 uses, over PyAV.

    Frames are numbered in display order.  Opening counts the packets without decoding, as headers may be wrong; each
    request decodes from the start in one pass, so that frame numbers are exact.
    """

    def __init__(self, file: bytes | str, num_threads: int = 1) -> None:
        self._file = file
        self._position = 0
        with self._open() as container:
            stream = container.streams.video[0]
            self._fps = float(stream.average_rate or 0)
            self._length = sum(1 for packet in container.demux(stream) if packet.size)

    def _open(self):
        import av

        return av.open(io.BytesIO(self._file) if isinstance(self._file, bytes) else self._file)

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

    def __getitem__(self, index: int) -> DecordLikeFrame:
        return self.get_batch([index])[0]

    def seek(self, index: int) -> None:
        self._position = int(index)

    def next(self) -> DecordLikeFrame:
        self._position += 1
        return self[self._position - 1]


@contextmanager
def _pyav_reader(module: ModuleType) -> Iterator[None]:
    yield

    def get_video_reader(self, filename: str) -> PyAVReader:
        if self.file_client is None:
            self.file_client = module.FileClient(self.io_backend, **self.kwargs)
        return PyAVReader(self.file_client.get(filename), num_threads=self.num_threads)

    module.DecordInit._get_video_reader = get_video_reader


BRIDGE = Bridge(
    name='mmaction2 decord',
    upstream='https://github.com/dmlc/decord/issues/213',
    fix='DecordInit and DecordDecode read through PyAV',
    applies=applies,
    around={'mmaction.datasets.transforms.loading': _pyav_reader},
)
