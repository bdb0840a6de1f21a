import shutil
from pathlib import Path

import numpy as np
import pytest

from vpd_mm.compat import numba_kernels
from vpd_mm.errors import UserError
from vpd_mm.retrieve import dtw_distance, dtw_matrix
from vpd_mm.retrieve import dtw_kernel as kernel
from vpd_mm.retrieve.dtw_torch import DeviceGallery

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden_dtw.npz'

# The cells of each step with their weights, counted back from (i, j), where the step begins last (Sakoe, Chiba 1978).
STEPS = {
    'symmetric2': [[((0, 0), 2), ((1, 1), 0)], [((0, 0), 1), ((0, 1), 0)], [((0, 0), 1), ((1, 0), 0)]],
    'symmetricP2': [
        [((0, 0), 2), ((1, 1), 0)],
        [((0, 0), 1), ((0, 1), 2), ((1, 2), 2), ((2, 3), 0)],
        [((0, 0), 1), ((1, 0), 2), ((2, 1), 2), ((3, 2), 0)],
    ],
}


def plain_dtw(a, b, pattern):
    cost = np.linalg.norm(a[:, None] - b[None], axis=-1)
    g = np.full(cost.shape, np.inf)
    g[0, 0] = cost[0, 0]
    for i, j in list(np.ndindex(cost.shape))[1:]:
        for *cells, ((di, dj), _) in STEPS[pattern]:
            if i >= di and j >= dj:
                g[i, j] = min(g[i, j], g[i - di, j - dj] + sum(w * cost[i - x, j - y] for (x, y), w in cells))
    return g[-1, -1] / sum(cost.shape)


def sequences(seed, count, longest=40, dims=7, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1, (int(rng.integers(1, longest + 1)), dims)).astype(dtype) for _ in range(count)]


@pytest.mark.parametrize('pattern', ['symmetricP2', 'symmetric2'])
def test_golden_numbers(pattern):
    with np.load(GOLDEN) as golden:
        for i in range(10):
            result = dtw_distance(golden[f'dtw_a_{i}'], golden[f'dtw_b_{i}'], pattern, fallback=False)
            np.testing.assert_allclose(result, golden[f'dtw_{pattern}_{i}'], rtol=0, atol=1e-9)


@pytest.mark.parametrize('pattern', ['symmetricP2', 'symmetric2'])
@pytest.mark.parametrize(
    'lengths', [(1, 1), (1, 2), (2, 1), (3, 4), (4, 3), (9, 9), (13, 9), (16, 24), (17, 25), (30, 8)]
)
@pytest.mark.parametrize('dims', [1, 2, 5])
def test_equals_the_plain_recursion(pattern, lengths, dims):
    rng = np.random.default_rng(dims)
    a, b = (rng.normal(0, 3, (n, dims)).cumsum(0) for n in lengths)
    result = dtw_distance(a, b, pattern, fallback=False)
    np.testing.assert_allclose(result, plain_dtw(a, b, pattern), rtol=1e-12)


def test_equals_dtw_python():
    dtw = pytest.importorskip('dtw', reason='pip install dtw-python').dtw
    rng = np.random.default_rng(3)
    for case in range(200):
        n = int(rng.integers(1, 70))
        m = int(rng.integers(1, 70)) if case % 2 else max(1, int(n * rng.uniform(0.66, 1.5)))
        scale = 10.0 ** rng.uniform(-3, 3)
        a, b = (rng.normal(0, scale, (size, 26)) for size in (n, m))
        cost = np.linalg.norm(a[:, None] - b[None], axis=-1)
        for pattern in ('symmetricP2', 'symmetric2'):
            try:
                expected = dtw(cost, step_pattern=pattern, distance_only=True).normalizedDistance
            except ValueError:  # no path
                expected = np.inf
            result = dtw_distance(a, b, pattern, fallback=False)
            assert result == expected or abs(result - expected) < 1e-6


def test_symmetric2_where_symmetric_p2_has_no_path():
    a, b = np.random.default_rng(0).normal(size=(2, 30, 4))
    b = b[:9]
    assert dtw_distance(a, b, fallback=False) == np.inf
    assert dtw_distance(a, b) == dtw_distance(a, b, 'symmetric2')
    assert dtw_distance(a, a[:24]) > dtw_distance(a, a[:24], 'symmetric2')


def test_path_sum_is_divided_by_both_lengths():
    a, b = np.zeros((4, 1)), np.ones((5, 1))
    assert dtw_distance(a, b) == pytest.approx(8 / 9)  # every step counts n + m, the start only once
    assert dtw_distance(a, a) == 0


def test_matrix_does_not_depend_on_threads():
    queries, gallery = sequences(0, 5), sequences(1, 9)
    singles = [[dtw_distance(a, b) for b in gallery] for a in queries]
    np.testing.assert_array_equal(dtw_matrix(queries, gallery, num_threads=3), singles)


def test_float32_is_summed_in_float64():
    queries, gallery = sequences(2, 3, dtype=np.float32), sequences(3, 4, dtype=np.float32)
    wide = dtw_matrix([q.astype(np.float64) for q in queries], [g.astype(np.float64) for g in gallery])
    np.testing.assert_allclose(dtw_matrix(queries, gallery), wide, rtol=1e-13)


@pytest.mark.parametrize('max_cells', [2000, 1 << 27])
def test_torch_equals_numba(max_cells):
    queries, gallery = sequences(4, 4), sequences(5, 30)
    on_device = DeviceGallery(gallery, 'cpu', max_cells)
    for query, expected in zip(queries, dtw_matrix(queries, gallery), strict=True):
        np.testing.assert_allclose(on_device.distances(query), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ('a', 'message'),
    [
        (np.zeros((0, 3)), 'at least one frame'),
        (np.zeros(3), r'needs a \(T, D\) array'),
        ([[0.0]], r'needs a \(T, D\) array of numbers, found list'),
        (np.full((2, 3), np.nan), r'queries\[0\]: features hold NaN or infinity \(first in row 0\)'),
        (np.zeros((2, 4)), 'queries have D = 4, the gallery has D = 3'),
    ],
)
def test_bad_sequences_are_named(a, message):
    with pytest.raises(UserError, match=message):
        dtw_distance(a, np.zeros((2, 3)))


def test_other_errors_are_named():
    good = np.zeros((2, 3))
    with pytest.raises(UserError, match='symmetricP1'):
        dtw_distance(good, good, 'symmetricP1')
    with pytest.raises(UserError, match='gallery: none given'):
        dtw_matrix([good], [])
    with pytest.raises(UserError, match=r'gallery\[1\]: has D = 2, the other sequences have D = 3'):
        dtw_matrix([good], [good, good[:, :2]])


def test_import_compiles_nothing_and_needs_no_writable_folder(run_python, tmp_path):
    shutil.copy(numba_kernels.__file__, tmp_path)
    text = Path(kernel.__file__).read_text(encoding='utf-8').replace('..compat.numba_kernels', 'numba_kernels')
    (tmp_path / 'dtw_kernel.py').write_text(text)
    (tmp_path / '__pycache__').touch()  # a file, so that numba cannot make the folder
    no_folder = {'HOME': str(tmp_path / '__pycache__'), 'XDG_CACHE_HOME': '', 'NUMBA_CACHE_DIR': ''}
    code = 'import dtw_kernel as k; print(k.search_one.signatures, k.pair.signatures, k.has_path(3, 2))'
    done = run_python('-B', '-c', code, cwd=tmp_path, env=no_folder)
    assert done.stdout.split() == ['[]', '[]', 'False'], done.stderr
