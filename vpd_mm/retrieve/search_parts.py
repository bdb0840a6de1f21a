"""Long searches in parts: with progress, resumed after a kill, shared out over the processes of a launcher."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import check_no_link, check_no_links, list_folder, remove_unfinished
from ..structures.npz_io import load_npz, save_npz
from .dtw_retriever import Neighbours

#: Queries of a part.
PART = 128
_KIND = 'SearchPart/1'


@dataclass
class SearchParts:
    """Search consecutive queries in parts of :data:`PART`, and keep finished parts in a folder.

    Process ``rank`` of ``world`` searches its share of the parts; that of rank 0 waits for those of the others.

    Args:
        folder: Where parts are kept; None: nowhere.
        rank, world: Of a launcher.
        on_progress: Called with (finished queries of all processes, number of queries).

    Attributes:
        num_searched, seconds: Queries that this process has searched, and the time they took.

    Raises:
        UserError: several processes without a folder, or the folder or one of its files is a link.
    """

    folder: Path | None = None
    rank: int = 0
    world: int = 1
    on_progress: OnProgress = no_progress
    num_searched: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.folder is None and self.world > 1:
            raise UserError('several processes exchange their results in a folder beside --out; pass --out FILE.csv')
        if self.folder is not None:
            check_no_link(self.folder)
            check_no_links(self.folder)

    def search(self, search: Callable[[int, int], Neighbours], num_queries: int, key: str) -> Neighbours | None:
        """Return the results of all queries; None in a process of another rank than 0, whose share is then done.

        Args:
            search: Called with the number of a part's first query and of the one behind its last.
            num_queries: Q.
            key: What the results depend on; parts with another key, and damaged ones, are searched again.
        """
        starts, parts = range(0, num_queries, PART), dict[int, Neighbours]()
        while True:
            parts |= self._finished((start for start in starts if start not in parts), key)
            self.on_progress(sum(len(part.inds) for part in parts.values()), num_queries)
            if own := [start for start in starts[self.rank :: self.world] if start not in parts]:
                parts[own[0]] = self._search(search, own[0], min(own[0] + PART, num_queries), key)
            elif self.rank:
                return None
            elif len(parts) < len(starts):
                time.sleep(0.2)
            else:
                rows = [parts[start] for start in starts]
                return Neighbours(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True)))

    def remove(self) -> None:
        """Remove the finished parts, once their results are in another place."""
        if self.folder is not None:
            for path in list_folder(self.folder, '*.npz'):
                remove_unfinished(path)
                path.unlink()
            with suppress(OSError):  # it holds something else
                self.folder.rmdir()

    def _search(self, search: Callable[[int, int], Neighbours], start: int, end: int, key: str) -> Neighbours:
        began = time.perf_counter()
        part = search(start, end)
        self.num_searched += end - start
        self.seconds += time.perf_counter() - began
        if self.folder is not None:
            save_npz(self._path(self.folder, start), _KIND, {**part._asdict(), 'key': np.array(key)})
        return part

    def _finished(self, starts: Iterable[int], key: str) -> dict[int, Neighbours]:
        parts = {}
        for start in starts:
            if self.folder is not None and (path := self._path(self.folder, start)).exists():
                with suppress(UserError):
                    arrays = load_npz(path, _KIND, (*Neighbours._fields, 'key'))
                    if str(arrays.pop('key')) == key:
                        parts[start] = Neighbours(**arrays)
        return parts

    @staticmethod
    def _path(folder: Path, start: int) -> Path:
        return folder / f'{start:08d}.npz'
