import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.retrieve import hit_at, precision_at

RELEVANT = np.array([[1, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]], bool)


def test_values():
    assert [precision_at(RELEVANT, k) for k in (1, 2, 4)] == pytest.approx([1 / 3, 1 / 6, 4 / 12])
    assert [hit_at(RELEVANT, k) for k in (1, 2, 4)] == pytest.approx([1 / 3, 1 / 3, 2 / 3])


@pytest.mark.parametrize(('relevant', 'k'), [(RELEVANT, 5), (RELEVANT, 0), (RELEVANT[:0], 1), (RELEVANT[0], 1)])
def test_too_few_ranks_are_refused(relevant, k):
    with pytest.raises(UserError, match='ranked items'):
        precision_at(relevant, k)
