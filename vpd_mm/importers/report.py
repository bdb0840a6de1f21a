"""Result of an import: counts and failures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from ..engine.progress import OnProgress
from ..errors import UserError, one_line

_Item = TypeVar('_Item')


def track_progress(items: Sequence[_Item], on_progress: OnProgress) -> Iterator[_Item]:
    """Yield the items; ``on_progress(done, total)`` is called before the first one and after each."""
    on_progress(0, len(items))
    for done, item in enumerate(items, 1):
        yield item
        on_progress(done, len(items))


@dataclass
class ImportReport:
    """Counts of what was imported, {'videos': n, ...}; one line for every video that failed; further lines."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def attempt(self, name: object) -> Iterator[None]:
        """Turn an error inside into a failure of ``name``, so that the import continues with the next video."""
        try:
            yield
        except UserError as e:
            self.failures.append(str(e))
        except Exception as e:
            self.failures.append(one_line(f'{name}: {type(e).__name__}: {e}'))
