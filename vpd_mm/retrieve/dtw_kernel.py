"""Numba kernels of ``dtw.py``: local cost, the two step patterns, the lower bound, the pruned search.

A sequence of T frames and D dims is stored dims-major in one flat array: frame t of dim d at
``start + d * stride + t``, ``stride = T + PAD`` with zeros after the frames, D even.  Loops over frames are then
contiguous, and reading up to PAD - 1 frames past the end is safe.  Storage may be float32; every sum is float64.

In both step patterns a path takes exactly one cell of each row and of each column of the cost matrix into account
(their weights add up to n + m); only the start cell counts once for both.  Therefore, with ``r_i`` a lower bound of
row i and ``c_j`` of column j, ``sum r_i + sum c_j - r_0`` is a lower bound of the distance, and the rest of these sums
behind a cell is a lower bound of the rest of the path.  Here r_i and c_j are distances to the other sequence's bounding
box.
"""

import numpy as np

from ..compat.numba_kernels import compiled

PAD = 8
SYMMETRIC_P2, SYMMETRIC2, FALLBACK = 0, 1, 2  # FALLBACK: symmetricP2, and symmetric2 where that has no path

# nnan: inputs are checked to be finite, infinity is only added and compared. The order of sums does not change.
_kernel = compiled(fastmath={'contract', 'nsz', 'nnan'})
_U = np.uintp  # unsigned indices need no test for negative ones, which would keep LLVM from vectorising
_GUARD = 1 + 1e-9  # a bound must exceed the limit by more than rounding


@_kernel
def has_path(n, m):
    """Return whether symmetricP2 (slope between 2/3 and 3/2) connects the corners of an n x m matrix."""
    return 2 * np.abs(n - m) <= np.minimum(n, m) - 1


@_kernel
def _costs(a, a_start, a_stride, b, b_start, b_stride, dims, width, out, top, bottom):
    """Write the distances of two frames of ``a`` to ``width`` frames of ``b`` to out[top:] and out[bottom:]."""
    a_step, b_step, width, top, bottom = _U(a_stride), _U(b_stride), _U(width), _U(top), _U(bottom)
    a0, b0 = _U(a_start), _U(b_start)
    for j in range(width):
        out[top + j] = 0.0
        out[bottom + j] = 0.0
    for _ in range(dims // 2):
        a1, b1 = a0 + a_step, b0 + b_step
        t0, u0, t1, u1 = np.float64(a[a0]), np.float64(a[a0 + _U(1)]), np.float64(a[a1]), np.float64(a[a1 + _U(1)])
        for j in range(width):
            y0, y1 = np.float64(b[b0 + j]), np.float64(b[b1 + j])
            out[top + j] += (t0 - y0) ** 2 + (t1 - y1) ** 2
            out[bottom + j] += (u0 - y0) ** 2 + (u1 - y1) ** 2
        a0, b0 = a1 + a_step, b1 + b_step
    for j in range(width):
        out[top + j] = np.sqrt(out[top + j])
        out[bottom + j] = np.sqrt(out[bottom + j])


@_kernel
def _p2_row(cost, g, c0, c1, c2, g0, g1, g2, g3, width):
    """Compute a row of symmetricP2 from the three above it; c*, g* are offsets of column ``lo`` in rows i, i-1, ..."""
    c0, c1, c2, g0, g1, g2, g3 = _U(c0), _U(c1), _U(c2), _U(g0), _U(g1), _U(g2), _U(g3)
    one, two, three = _U(1), _U(2), _U(3)
    for j in range(_U(width)):
        here = cost[c0 + j]
        best = g[g1 + j - one] + 2 * here
        wide = g[g2 + j - three] + 2 * (cost[c1 + j - two] + cost[c0 + j - one]) + here
        tall = g[g3 + j - two] + 2 * (cost[c2 + j - one] + cost[c1 + j]) + here
        best = wide if wide < best else best
        g[g0 + j] = tall if tall < best else best


@_kernel
def _symmetric_p2(a, a_start, n, b, b_start, m, dims, limit, row_rest, col_rest):
    """Sum the best symmetricP2 path; infinity as soon as every path must exceed ``limit``.

    Only the parallelogram that the slopes allow (widened by the inner cells of a step) is computed.  Right of it the
    recursion yields infinity or cells that cannot reach the end; left of it infinity is written.
    """
    size = m + 2 * PAD
    cost = np.zeros(4 * size)
    g = np.full(4 * size, np.inf)
    los = np.zeros(4, np.int64)
    his = np.zeros(4, np.int64)
    p, q = n - 1, m - 1
    for i in range(n):
        lo = max(0, max((2 * i + 2) // 3, q - 3 * (p - i) // 2) - 1)
        hi = min(m, min(3 * i // 2, q - (2 * (p - i) + 2) // 3) + 2)
        this = (i & 3) * size + PAD
        if i % 2 == 0:
            k = min(i + 1, p)
            wide = min(m, min(3 * k // 2, q - (2 * (p - k) + 2) // 3) + 2) - lo
            wide = (wide + PAD - 1) // PAD * PAD
            below = (i + 1 & 3) * size + PAD
            _costs(a, a_start + i, n + PAD, b, b_start + lo, m + PAD, dims, wide, cost, this + lo, below + lo)
        c1, c2, g3 = (i - 1 & 3) * size + PAD, (i - 2 & 3) * size + PAD, (i - 3 & 3) * size + PAD
        los[i & 3], his[i & 3] = lo, hi
        if i == 0:
            g[this] = cost[this]
            continue
        _p2_row(cost, g, this + lo, c1 + lo, c2 + lo, this + lo, c1 + lo, c2 + lo, g3 + lo, hi - lo)
        g[this + lo - 4 : this + lo] = np.inf
        if limit < np.inf and i & 3 == 3:
            least = np.inf
            for k in range(i - 2, i + 1):
                start = (k & 3) * size + PAD
                for j in range(los[k & 3], his[k & 3]):
                    left = g[start + j] + col_rest[j + 1] + row_rest[k + 1]
                    least = left if left < least else least
            if least > limit:
                return np.inf
    return g[(p & 3) * size + PAD + q]


@_kernel
def _symmetric2(a, a_start, n, b, b_start, m, dims, limit, row_rest, col_rest):
    """Sum the best symmetric2 path; infinity as soon as every path must exceed ``limit``.

    Two rows advance together, the lower one column behind, which gives the processor two independent chains.
    """
    size = m + PAD
    width = (m + PAD - 1) // PAD * PAD
    cost = np.zeros(2 * size)
    g = np.zeros(m)
    _costs(a, a_start, n + PAD, b, b_start, size, dims, width, cost, 0, size)
    total = 0.0
    for j in range(m):
        total += cost[j]
        g[j] = total
    for i in range(1, n, 2):
        _costs(a, a_start + i, n + PAD, b, b_start, size, dims, width, cost, 0, size)
        diagonal = g[0]
        upper = diagonal + cost[0]  # row i, column j - 1
        upper_left = np.inf  # row i, column j - 2
        lower = np.inf  # row i + 1, column j - 2
        for j in range(1, m):
            above, here, below = g[j], cost[j], cost[size + j - 1]
            new = diagonal + 2 * here
            new = above + here if above + here < new else new
            new = upper + here if upper + here < new else new
            under = upper_left + 2 * below
            under = upper + below if upper + below < under else under
            lower = lower + below if lower + below < under else under
            g[j - 1] = lower
            diagonal, upper_left, upper = above, upper, new
        if i + 1 == n:
            return upper
        below = cost[size + m - 1]
        under = upper_left + 2 * below
        under = upper + below if upper + below < under else under
        g[m - 1] = lower + below if lower + below < under else under
        if limit < np.inf:
            least = np.inf
            for j in range(m):
                left = g[j] + col_rest[j + 1]
                least = left if left < least else least
            if least + row_rest[i + 2] > limit:
                return np.inf
    return g[m - 1]


@_kernel
def pair(queries, q, gallery, e, pattern, limit, row_rest, col_rest):
    """Compute the distance of a pair by ``pattern``; infinity: no path, or every path exceeds ``limit``."""
    a, a_start, n = queries.data, queries.starts[q], queries.lengths[q]
    b, b_start, m = gallery.data, gallery.starts[e], gallery.lengths[e]
    dims, limit = gallery.low.shape[1], limit * (n + m)
    if pattern == SYMMETRIC2 or (pattern == FALLBACK and not has_path(n, m)):
        return _symmetric2(a, a_start, n, b, b_start, m, dims, limit, row_rest, col_rest) / (n + m)
    if not has_path(n, m):
        return np.inf
    return _symmetric_p2(a, a_start, n, b, b_start, m, dims, limit, row_rest, col_rest) / (n + m)


@_kernel
def one_to_many(queries, q, gallery, pattern, out):
    """Write the distances of query ``q`` to every gallery sequence to ``out``; both are ``dtw.SequencePack``."""
    rest = np.zeros(0)
    for e in range(len(gallery.lengths)):
        out[e] = pair(queries, q, gallery, e, pattern, np.inf, rest, rest)


@_kernel
def _rest(data, start, length, dims, low, high, out):
    """Sum the distances of frames t, t + 1, ... to the box [low, high] in out[t]; ``out`` has room for PAD more."""
    width = _U((length + PAD - 1) // PAD * PAD)
    for j in range(width):
        out[j] = 0.0
    offset = _U(start)
    for d in range(dims):
        least, most = np.float64(low[d]), np.float64(high[d])
        for j in range(width):
            x = np.float64(data[offset + j])
            under, over = least - x, x - most
            outside = under if under > over else over
            outside = outside if outside > 0.0 else 0.0
            out[j] += outside * outside
        offset += _U(length + PAD)
    for j in range(width):
        out[j] = np.sqrt(out[j])
    out[length] = 0.0
    for j in range(length - 1, -1, -1):
        out[j] += out[j + 1]


@_kernel
def _bound(queries, q, gallery, e, row_rest, col_rest):
    """Return a lower bound of a pair's distance; write the bounds of the rest from each row and column on."""
    n, m, dims = queries.lengths[q], gallery.lengths[e], gallery.low.shape[1]
    _rest(queries.data, queries.starts[q], n, dims, gallery.low[e], gallery.high[e], row_rest)
    _rest(gallery.data, gallery.starts[e], m, dims, queries.low[q], queries.high[q], col_rest)
    return (row_rest[1] + col_rest[0]) / (n + m)


@_kernel
def search_one(queries, q, query_views, gallery, views, excluded, fallback, items, dists, counts):
    """Find the ``len(items)`` nearest items of query ``q``, nearest first, equal distances by item number.

    Entry ``e`` of the gallery is view ``e % views`` of item ``e // views``, and likewise for the queries; the nearest
    pair of views counts.  Items without a symmetricP2 path come after all others: by symmetric2 with ``fallback``, else
    the last of them at infinite distance.  Item numbers are written to ``items``, normalised distances to ``dists``;
    items with ``excluded`` (G,) are left out; ranks that remain have item -1.  To ``counts`` (3,) the numbers of pairs
    are added that got a lower bound, that were compared, and that were compared to the end.
    """
    items[:] = -1
    dists[:] = np.inf
    _search(queries, q, query_views, gallery, views, excluded, SYMMETRIC_P2, items, dists, counts)
    num_ranked = (items >= 0).sum()
    if fallback and num_ranked < len(items):
        last = items[num_ranked:], dists[num_ranked:]
        _search(queries, q, query_views, gallery, views, excluded, SYMMETRIC2, last[0], last[1], counts)
        return
    slot = len(items) - 1
    for item in range(len(gallery.lengths) // views - 1, -1, -1):
        no_path = not has_path(queries.lengths[q * query_views], gallery.lengths[item * views])
        if slot >= num_ranked and not excluded[item] and no_path:
            items[slot] = item
            slot -= 1


@_kernel
def _search(queries, q, query_views, gallery, views, excluded, pattern, items, dists, counts):
    """Search the items with a symmetricP2 path by that pattern, or the others by symmetric2."""
    entries, first = len(gallery.lengths), q * query_views
    n = queries.lengths[first]
    row_rest, col_rest = np.empty(n + PAD), np.empty(gallery.lengths.max() + PAD)
    bounds = np.full(query_views * entries, np.inf)
    for p in range(len(bounds)):
        e = p % entries
        if not excluded[e // views] and has_path(n, gallery.lengths[e]) == (pattern == SYMMETRIC_P2):
            bounds[p] = _bound(queries, first + p // entries, gallery, e, row_rest, col_rest)
            counts[0] += 1
    for p in np.argsort(bounds):
        worst = dists[-1] * _GUARD
        if bounds[p] == np.inf or bounds[p] > worst:
            break
        view, e = first + p // entries, p % entries
        _bound(queries, view, gallery, e, row_rest, col_rest)
        counts[1] += 1
        distance = pair(queries, view, gallery, e, pattern, worst, row_rest, col_rest)
        if distance < np.inf:
            counts[2] += 1
            _insert(items, dists, e // views, distance)


@_kernel
def _insert(items, dists, item, distance):
    """Insert (distance, item) into the sorted list unless all entries or the item's own entry are better."""
    last = len(items) - 1
    for s in range(len(items)):
        if items[s] == item:
            if distance >= dists[s]:
                return
            last = s
            break
    if dists[last] < distance or (dists[last] == distance and 0 <= items[last] < item):
        return
    s = last
    while s > 0 and (dists[s - 1] > distance or (dists[s - 1] == distance and items[s - 1] > item)):
        items[s], dists[s] = items[s - 1], dists[s - 1]
        s -= 1
    items[s], dists[s] = item, distance
