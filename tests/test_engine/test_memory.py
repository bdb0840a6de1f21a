"""What is freed stays in the process."""

import resource
import sys

import numpy as np
import pytest

from vpd_mm.engine.memory import keep_freed_memory


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc')
def test_a_block_that_comes_again_costs_no_page_faults():
    assert keep_freed_memory()

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            np.ones(4 << 20, np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults()
    assert faults() < 1024  # mapped anew, 20 blocks of 4 MB cost 20,480
