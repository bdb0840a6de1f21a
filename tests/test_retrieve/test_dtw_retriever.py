import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.retrieve import DTWRetriever, dtw_distance
from vpd_mm.retrieve import dtw_kernel as kernel
from vpd_mm.retrieve.dtw import pack_sequences


def clips(seed, count, views=2, classes=4):
    """Random walks around a few prototypes, so that the lower bound skips candidates; a flip is no isometry."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 3, (classes, 5))
    made = []
    for i in range(count):
        walk = rng.normal(0, 0.5, (int(rng.integers(1, 45)), 5)).cumsum(0) + centres[i % classes]
        made.append(np.stack([walk, np.sin(walk) - walk][:views], axis=1))
    return made


def distance(query, item, views, pattern):
    """Published comparisons: the joined views, or the least over pairs of views."""
    if views == 'joined':
        return dtw_distance(query.reshape(len(query), -1), item.reshape(len(item), -1), pattern, fallback=False)
    chosen = range(query.shape[1] if views == 'every' else 1)
    pairs = [(v, w) for v in chosen for w in range(item.shape[1])]
    return min(dtw_distance(query[:, v], item[:, w], pattern, fallback=False) for v, w in pairs)


def by_hand(queries, gallery, k, exclude, views, fallback):
    """Items by symmetricP2, then those without a path by symmetric2, or without fallback the last ones."""
    inds, distances = [], []
    for query, excluded in zip(queries, exclude, strict=True):
        first, last = ([distance(query, item, views, p) for item in gallery] for p in ('symmetricP2', 'symmetric2'))
        order = sorted(range(len(gallery)), key=lambda i: (first[i], last[i] if fallback else i))
        order = [i for i in order if i not in np.atleast_1d(excluded)]
        count = k if fallback else min(k, sum(first[i] < np.inf for i in order))
        order = order[:count] + order[len(order) - k + count :]
        inds.append(order)
        distances.append([last[i] if fallback and first[i] == np.inf else first[i] for i in order])
    return np.array(inds), np.array(distances)


@pytest.mark.parametrize('fallback', [True, False])
@pytest.mark.parametrize(('views', 'num_views'), [('original', 1), ('original', 2), ('every', 2), ('joined', 2)])
@pytest.mark.parametrize('device', ['cpu', 'cpu:0'])
def test_search_is_exact(views, num_views, fallback, device):
    gallery, queries = clips(0, 30, num_views), clips(1, 6, num_views)
    exclude = [-1, 3, 0, 29, np.array([], int), np.array([5])]
    retriever = DTWRetriever(gallery, device=device, num_threads=2, views=views, fallback=fallback)
    for k in (1, 7, 29):
        inds, distances, counts = retriever.search(queries, k, exclude)
        sizes = [len(gallery) - (np.atleast_1d(items) >= 0).sum() for items in exclude]
        assert counts[:, 0].tolist() == [n * {'original': num_views, 'every': 4, 'joined': 1}[views] for n in sizes]
        assert (np.diff(counts, axis=1) <= 0).all()
        assert (counts[:, 3] >= np.minimum(k, counts[:, 1])).all() or views == 'every'
        expected_inds, expected = by_hand(queries, gallery, k, exclude, views, fallback)
        np.testing.assert_array_equal(inds, expected_inds)
        np.testing.assert_allclose(distances, expected, rtol=0, atol=1e-9)
    assert np.isinf(distances).any() != fallback


@pytest.mark.parametrize('device', ['cpu', 'cpu:0'])
def test_equal_distances_keep_the_order_of_the_gallery(device):
    gallery = [item for item in clips(2, 5) for _ in range(3)]
    result = DTWRetriever(gallery, device=device).search(clips(3, 4), 15)
    for row in result.inds:
        assert all(row[i : i + 3].tolist() == [row[i], row[i] + 1, row[i] + 2] for i in range(0, 15, 3))


def test_a_clip_finds_itself_original_or_flipped():
    gallery = clips(4, 12)
    flipped = [item[:, ::-1].copy() for item in gallery]
    for queries in (gallery, flipped):
        result = DTWRetriever(gallery).search(queries, 1)
        np.testing.assert_array_equal(result.inds[:, 0], np.arange(12))
        np.testing.assert_array_equal(result.distances[:, 0], 0)


def test_distant_candidates_are_skipped():
    pack = pack_sequences([item[:, 0] for item in clips(5, 60, views=1)], 'clips')
    items, dists, counts = np.empty(3, np.int64), np.empty(3), np.zeros(3, np.int64)
    kernel.search_one(pack, 0, 1, pack, 1, np.zeros(60, bool), True, items, dists, counts)
    assert items[0] == 0
    assert counts[0] == sum(kernel.has_path(pack.lengths[0], length) for length in pack.lengths)
    assert 3 <= counts[2] <= counts[1] < counts[0] / 2


@pytest.mark.parametrize('device', ['cpu', 'cpu:0'])
def test_several_items_are_left_out_and_missing_ranks_are_empty(device):
    gallery = clips(7, 6)
    exclude = [np.array([0, 2, 5]), -1]
    inds, distances, _ = DTWRetriever(gallery, device=device).search(gallery[:2], 6, exclude)
    assert sorted(inds[0]) == [-1, -1, -1, 1, 3, 4]
    assert inds[0, 3:].tolist() == [-1, -1, -1]
    assert np.isinf(distances[0]).tolist() == [False] * 3 + [True] * 3
    expected, _ = by_hand(gallery[:1], gallery, 3, exclude[:1], 'original', True)
    assert inds[0, :3].tolist() == expected[0].tolist()
    assert sorted(inds[1]) == list(range(6))


def test_bad_input_is_named():
    gallery = clips(6, 4)
    retriever = DTWRetriever(gallery)
    assert len(retriever) == 4
    for k, exclude in ((0, None), (5, None), (4, [2])):
        with pytest.raises(UserError, match=f'found {k}'):
            retriever.search(gallery[:1], k, exclude)
    with pytest.raises(UserError, match='views must be one of original, every, joined'):
        DTWRetriever(gallery, views='both')
    with pytest.raises(UserError, match='must have the 2 views of the gallery'):
        DTWRetriever(gallery, views='every').search([gallery[0][:, :1]], 1)
    with pytest.raises(UserError, match='queries have D = 4, the gallery has D = 5'):
        retriever.search([gallery[0][..., :4]], 1)
    with pytest.raises(UserError, match=r'action b: must be a \(T, V, D\) array with the same V'):
        DTWRetriever([gallery[0], gallery[1][:, :1]], names=['action a', 'action b'])
    broken = gallery[1].copy()
    broken[-1, 1, 0] = np.inf
    with pytest.raises(UserError, match='action b: features hold NaN or infinity'):
        DTWRetriever([gallery[0], broken], names=['action a', 'action b'])
