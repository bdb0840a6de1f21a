"""Long searches in parts: with progress, resumed after a kill, shared out over the processes of a launcher."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import check_no_link, check_no_links
from ..structures.npz_io import load_npz, save_npz
from .dtw_retriever import Neighbours

#: Queries of a part.
PART = 128
#: Rank 0 takes over the parts of the others when none has come for this long and twice the time of a part; they wait
#: this long for its folder.
PATIENCE_SEC = 60.0
_KIND = 'SearchPart/2'
_log = logging.getLogger(__name__)


@dataclass
class SearchParts:
    """Search consecutive queries in parts of :data:`PART`, and keep finished parts in a folder.

    Process ``rank`` of ``world`` searches its share of the parts; that of rank 0 waits for those of the others, and
    searches them itself when no more of them come: a process may have ended before its work.  Rank 0 makes the folder
    and removes it; a process that starts after its end has no work.

    Args:
        folder: Where parts are kept; None: nowhere.
        rank, world: Of a launcher.
        on_progress: Called with (finished queries of all processes, number of queries).

    Attributes:
        num_searched, seconds, longest_sec: Queries that this process has searched, their time, and that of the slowest
            part.

    Raises:
        UserError: several processes without a folder, or the folder or one of its files is a link.
    """

    folder: Path | None = None
    rank: int = 0
    world: int = 1
    on_progress: OnProgress = no_progress
    num_searched: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    longest_sec: float = field(default=0.0, init=False)

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
            key: Digest of what the results depend on; parts with another key, and damaged ones, are searched again.
        """
        if self.folder is not None and self.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
        starts, parts, last_new = range(0, num_queries, PART), dict[int, Neighbours](), time.monotonic()
        while self.rank and self._is_removed():
            if time.monotonic() - last_new >= PATIENCE_SEC:
                _log.warning('%s: the first process does not make it, or has all results; nothing to do', self.folder)
                return None
            time.sleep(0.2)
        while True:
            if new := self._finished((start for start in starts if start not in parts), key):
                parts, last_new = parts | new, time.monotonic()
            self.on_progress(sum(len(part.inds) for part in parts.values()), num_queries)
            missing = [start for start in starts if start not in parts]
            own = [start for start in starts[self.rank :: self.world] if start not in parts]
            if self.rank and (not own or self._is_removed()):
                return None
            if not missing:
                rows = [parts[start] for start in starts]
                return Neighbours(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True)))
            if not own and time.monotonic() - last_new < PATIENCE_SEC + 2 * self.longest_sec:
                time.sleep(0.2)
                continue
            start = own[0] if own else missing[-1]  # where a slow process comes last
            if not own:
                _log.warning('queries from %d on: their process is late or has ended; searched in this one', start)
            parts[start] = self._search(search, start, min(start + PART, num_queries), key)

    def remove(self) -> None:
        """Remove the finished parts, once their results are in another place."""
        while self.folder is not None and (paths := [*self.folder.glob('*.npz'), *self.folder.glob('.*.npz.*.tmp')]):
            for path in paths:
                path.unlink(missing_ok=True)
            with suppress(OSError):  # it holds something else, or a part of another process that came meanwhile
                self.folder.rmdir()

    def _search(self, search: Callable[[int, int], Neighbours], start: int, end: int, key: str) -> Neighbours:
        began = time.perf_counter()
        part = search(start, end)
        seconds = time.perf_counter() - began
        self.num_searched += end - start
        self.seconds += seconds
        self.longest_sec = max(self.longest_sec, seconds)
        if self.folder is not None:
            with suppress(FileNotFoundError):  # rank 0 has removed the folder, or removes it now
                save_npz(self._path(self.folder, start, key), _KIND, part._asdict(), make_folder=False)
        return part

    def _is_removed(self) -> bool:
        """Tell if rank 0 has all results and did not wait for this process, or has not started."""
        return self.folder is not None and not self.folder.is_dir()

    def _finished(self, starts: Iterable[int], key: str) -> dict[int, Neighbours]:
        parts = {}
        for start in starts:
            if self.folder is not None and (path := self._path(self.folder, start, key)).exists():
                with suppress(UserError):
                    parts[start] = Neighbours(**load_npz(path, _KIND, Neighbours._fields))
        return parts

    @staticmethod
    def _path(folder: Path, start: int, key: str) -> Path:
        return folder / f'{start:08d}-{key[:16]}.npz'
