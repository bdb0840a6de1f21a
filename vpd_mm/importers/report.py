"""What an import tells a person: progress, counts, failures."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError

#: Wraps what is iterated over, with a short description; ``rich.progress.track`` is one.
Progress = Callable[[Iterable, str], Iterable[Any]]


def silent(items: Iterable, description: str) -> Iterable[Any]:
    """A progress that shows nothing."""
    return items


@dataclass
class ImportReport:
    """What came in, {'videos': n, ...}, and one line for every video that did not."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, what: str, count: int = 1) -> None:
        """Count something."""
        self.counts[what] = self.counts.get(what, 0) + count

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one video: a UserError is noted, and the others go on."""
        try:
            yield
        except UserError as e:
            self.failures.append(str(e))
