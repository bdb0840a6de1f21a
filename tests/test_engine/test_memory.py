"""Freed memory stays in the process."""

import resource
import sys

import numpy as np
import pytest

from vpd_mm.engine.cli import keep_freed_memory


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc')
def test_reused_blocks_cause_no_page_faults():
    keep_freed_memory()

    def page_faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            np.ones(4 << 20, np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    page_faults()
    assert page_faults() < 1024  # newly mapped blocks would cause 20,480
