"""Mutations of valid files for property-based tests, and how many of them a run tries.

Without ``HYPOTHESIS_PROFILE`` a test tries the same few examples each time; ``make test-fuzz`` tries many new ones.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from vpd_mm.errors import UserError

_COMMON = dict(deadline=None, database=None, suppress_health_check=list(HealthCheck))
settings.register_profile('default', max_examples=15, derandomize=True, **_COMMON)
settings.register_profile('fuzz', max_examples=2000, print_blob=True, **_COMMON)
settings.load_profile(os.environ.get('HYPOTHESIS_PROFILE', 'default'))

#: What the formats of this project are sensitive to.
TOKENS = [
    *(b'\0', b'\xff', b'\xc3', b'\xed\xa0\x80', b'\x1b[2J', b'\n', b'\r', b',', b'"', b'/', b'../', b'\xef\xbb\xbf'),
    *(b'-1', b'0', b'1e308', b'1e999', b'NaN', b'Infinity', b'9' * 400, b'10000000000000000000', b'true', b'null'),
    *(b'[' * 5000, b'{"a":' * 5000, b'\\ud800', b'\\u0000', b'{}', b'[]', b'""', b'A' * 200_000),
]


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """``data`` after one to four changes: bits flipped, a part cut, moved or repeated, bytes or tokens inserted."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        end = min(len(changed), at + draw(st.integers(1, 1 << draw(st.integers(0, 12)))))
        kind = draw(st.sampled_from(['flip', 'overwrite', 'remove', 'truncate', 'insert', 'token', 'splice']))
        if kind == 'flip' and at < len(changed):
            changed[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 'overwrite':
            changed[at:end] = draw(st.binary(min_size=1, max_size=8))
        elif kind == 'remove':
            del changed[at:end]
        elif kind == 'truncate':
            del changed[at:]
        elif kind == 'insert':
            changed[at:at] = draw(st.binary(min_size=1, max_size=64))
        elif kind == 'token':
            changed[at : at + draw(st.integers(0, 8))] = draw(st.sampled_from(TOKENS))
        elif kind == 'splice':
            target = draw(st.integers(0, len(changed)))
            changed[target : target + draw(st.sampled_from([0, end - at]))] = changed[at:end]
    return bytes(changed)


def read_or_refuse(read: Callable[[], Any], seconds: float = 5) -> Any:
    """Result of ``read()``, None where it raises UserError; anything else, or more time, fails the test."""
    with time_limit(seconds):
        try:
            return read()
        except UserError as e:
            message = str(e)
            assert message.isprintable(), repr(message)
            assert 0 < len(message) < 2000, message
            return None


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in Python code that runs longer."""

    def stop(*_: object) -> None:
        raise TimeoutError(f'not done after {seconds} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
