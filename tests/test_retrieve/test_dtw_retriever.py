import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.retrieve import DTWRetriever, dtw_distance
from vpd_mm.retrieve import dtw_kernel as kernel
from vpd_mm.retrieve.dtw import pack_sequences


def clips(seed, count, views=2, classes=4):
    """Random walks around a few prototypes, so that the lower bound skips candidates."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 3, (classes, 5))
    made = []
    for i in range(count):
        walk = rng.normal(0, 0.5, (int(rng.integers(1, 45)), 5)).cumsum(0) + centres[i % classes]
        made.append(np.stack([walk, -walk][:views], axis=1))
    return made


def by_hand(queries, gallery, k, exclude):
    inds, distances = [], []
    for query, excluded in zip(queries, exclude, strict=True):
        nearest = [min(dtw_distance(query[:, 0], item[:, v]) for v in range(item.shape[1])) for item in gallery]
        order = [i for i in np.argsort(nearest, kind='stable') if i != excluded][:k]
        inds.append(order)
        distances.append([nearest[i] for i in order])
    return np.array(inds), np.array(distances)


@pytest.mark.parametrize('views', [1, 2])
@pytest.mark.parametrize('k', [1, 7, 29])
@pytest.mark.parametrize('device', ['cpu', 'cpu:0'])
def test_search_is_exact(views, k, device):
    gallery, queries = clips(0, 30, views), clips(1, 6, views)
    exclude = [-1, 3, 0, 29, -1, 5]
    result = DTWRetriever(gallery, device=device, num_threads=2).search(queries, k, exclude)
    inds, distances = by_hand(queries, gallery, k, exclude)
    np.testing.assert_array_equal(result.inds, inds)
    np.testing.assert_allclose(result.distances, distances, rtol=0, atol=1e-9)


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
    items, dists = np.empty(3, np.int64), np.empty(3)
    computed = kernel.search_one(pack, 0, pack, 1, -1, items, dists)
    assert items[0] == 0
    assert 3 <= computed < 40


def test_bad_input_is_named():
    gallery = clips(6, 4)
    retriever = DTWRetriever(gallery)
    assert len(retriever) == 4
    for k, exclude in ((0, None), (5, None), (4, [2])):
        with pytest.raises(UserError, match=f'found {k}'):
            retriever.search(gallery[:1], k, exclude)
    with pytest.raises(UserError, match='queries have D = 4, the gallery has D = 5'):
        retriever.search([gallery[0][..., :4]], 1)
    with pytest.raises(UserError, match=r'action b: must be a \(T, V, D\) array with the same V'):
        DTWRetriever([gallery[0], gallery[1][:, :1]], names=['action a', 'action b'])
    broken = gallery[1].copy()
    broken[-1, 1, 0] = np.inf
    with pytest.raises(UserError, match='action b: features hold NaN or infinity'):
        DTWRetriever([gallery[0], broken], names=['action a', 'action b'])
