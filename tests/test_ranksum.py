"""The exact rank-sum test, against counting every split, scipy's tests and Fisher's."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from analysis.ranksum import MOST_EXACT, least_p, rank_sum


def by_counting(a, b):
    """Both p: of the split as it is, and the least of any split of the same values."""
    ranks = stats.rankdata([*a, *b])
    sums = np.array(
        [ranks[list(chosen)].sum() for chosen in combinations(range(len(ranks)), len(a))]
    )
    both = [
        min(1.0, 2 * min(np.mean(sums >= s - 1e-9), np.mean(sums <= s + 1e-9)))
        for s in (ranks[: len(a)].sum(), sums.max(), sums.min())
    ]
    return both[0], min(both[1:])


def tied(seed, n, m, values):
    rng = np.random.default_rng(seed)
    return rng.integers(0, values, n) / values, rng.integers(0, values, m) / values


CASES = [
    tied(seed, n, m, values)
    for seed, (n, m) in enumerate([(1, 1), (1, 5), (2, 6), (4, 4), (5, 3), (6, 6), (7, 4)])
    for values in (2, 3, 5, 1000)
]


@pytest.mark.parametrize(("a", "b"), CASES)
def test_it_is_the_share_of_all_splits_that_are_as_extreme(a, b):
    assert rank_sum(a, b) == pytest.approx(by_counting(a, b)[0], rel=1e-12)
    assert rank_sum(b, a) == rank_sum(a, b)


@pytest.mark.parametrize(("a", "b"), CASES)
def test_the_least_p_is_that_of_the_most_extreme_split(a, b):
    expected = by_counting(a, b)[1]
    assert least_p(a[None], b[None])[0] == pytest.approx(expected, rel=1e-12)
    pooled = np.sort(np.concatenate([a, b]))
    ends = [
        rank_sum(pooled[: len(a)], pooled[len(a) :]),
        rank_sum(pooled[-len(a) :], pooled[: -len(a)]),
    ]
    assert min(ends) == pytest.approx(expected, rel=1e-12)


def test_the_least_p_of_many_comparisons_is_that_of_each():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, (50, 6)) / 4, rng.integers(0, 4, (50, 5)) / 4
    alone = [least_p(x[None], y[None])[0] for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(least_p(a, b), alone)


@pytest.mark.parametrize(
    ("hits_a", "hits_b", "n", "m"), [(20, 0, 20, 20), (7, 2, 10, 10), (3, 9, 12, 9), (0, 0, 5, 5)]
)
def test_of_zeros_and_ones_it_is_twice_the_smaller_tail_of_fisher(hits_a, hits_b, n, m):
    a, b = (np.repeat([1.0, 0.0], [hits, size - hits]) for hits, size in ((hits_a, n), (hits_b, m)))
    table = [[hits_a, n - hits_a], [hits_b, m - hits_b]]
    tails = [stats.fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
    assert rank_sum(a, b) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(3, 4), (10, 10), (20, 20), (5, 30)])
def test_without_ties_it_is_that_of_mann_and_whitney(n, m):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), rng.normal(0.7, size=m)
    assert rank_sum(a, b) == pytest.approx(
        stats.mannwhitneyu(a, b, method="exact").pvalue, rel=1e-9
    )


@pytest.mark.parametrize("values", [2, 4, 10**9])
def test_of_many_values_it_is_the_normal_approximation_of_scipy(values):
    a, b = tied(3, MOST_EXACT, MOST_EXACT + 7, values)
    a = np.minimum(a + 1 / values, 1)
    expected = stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True).pvalue
    assert rank_sum(a, b) == pytest.approx(expected, rel=1e-9)


def test_the_approximation_takes_over_without_a_step():
    # The exact p of the largest case it counts, beside the approximation of the same values.
    a, b = tied(11, MOST_EXACT // 2, MOST_EXACT // 2, 4)
    a = np.minimum(a + 0.25, 1)
    near = stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True).pvalue
    assert rank_sum(a, b) == pytest.approx(near, rel=0.1)


def test_values_that_are_all_alike_tell_nothing():
    for n in (3, 40):
        assert rank_sum(np.ones(n), np.ones(n)) == 1
        assert least_p(np.ones((1, n)), np.ones((1, n)))[0] == 1


@pytest.mark.parametrize("n", [50, 600, 5000])
def test_many_replicates_give_a_least_p_too(n):
    # Half of the values are 1: there is one way to have them all on one side.
    a, b = np.ones((1, n)), np.zeros((1, n))
    assert least_p(a, b)[0] == pytest.approx(
        2 * stats.hypergeom.pmf(n, 2 * n, n, n), rel=1e-6, abs=1e-300
    )
    alike = np.ones((1, n))
    assert least_p(alike, alike)[0] == 1
    mixed = np.repeat([0.0, 1.0], [n - 5, 5])[None]
    five = stats.hypergeom.pmf(5, 2 * n, 5, n)
    assert least_p(mixed, np.zeros((1, n)))[0] == pytest.approx(min(1, 2 * five), rel=1e-9)
