"""The exact rank-sum test with ties, and the least p value it could give."""

from __future__ import annotations

from math import comb

import numpy as np

from analysis.intervals import Array

# Beyond so many values together the normal approximation is within a few percent of the exact p.
MOST_EXACT = 40


def rank_sum(a: Array, b: Array) -> float:
    """Return p that values like `a` and like `b` come from one distribution, two-sided.

    Twice the smaller tail of the permutation distribution of the sum of midranks of `a`. With
    values 0 and 1 only this is Fisher's exact test with both tails taken as the smaller one.

    Source:
        Lehmann, "Nonparametrics", 1975, sections 1.4 (ties) and 2.3.
    """
    pooled = np.concatenate([a, b])
    doubled = _doubled_midranks(pooled)
    observed = int(doubled[: len(a)].sum())
    if len(pooled) > MOST_EXACT:
        return _normal(doubled, observed, len(a))
    counts = _sums(doubled, len(a))
    total = comb(len(pooled), len(a))
    upper, lower = counts[observed:].sum() / total, counts[: observed + 1].sum() / total
    return float(min(1.0, 2 * min(upper, lower)))


def least_p(a: Array, b: Array) -> Array:
    """Return the least p that the pooled values could give, however they fell to the two sides.

    Args:
        a: `(K, n)`, K comparisons.
        b: `(K, m)`.

    Returns:
        `(K,)`. Comparisons in which it is large cannot become significant and need not be counted.

    Source:
        Tarone, "A modified Bonferroni method for discrete data", Biometrics 46, 1990.
    """
    n = a.shape[1]
    ordered = np.sort(np.concatenate([a, b], axis=1), axis=1)
    tail = np.minimum(_tail(ordered, n), _tail(-ordered[:, ::-1], n))
    return np.minimum(1.0, 2.0 * tail)


def _tail(ordered: Array, n: int) -> Array:
    """Return the share of the choices of n values, of ascending rows, with the largest sum."""
    edge = ordered[:, -n, None]
    tied = (ordered == edge).sum(axis=1)
    chosen = n - (ordered > edge).sum(axis=1)
    known = {(int(t), int(c)) for t, c in zip(tied, chosen, strict=True)}
    # Divided as whole numbers: of a thousand replicates, both are beyond the largest float.
    total = comb(ordered.shape[1], n)
    table = {pair: comb(*pair) / total for pair in known}
    return np.array([table[int(t), int(c)] for t, c in zip(tied, chosen, strict=True)])


def _doubled_midranks(values: Array) -> np.ndarray:
    """Return twice the midranks, which are whole."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((2 * ends - counts + 1)[inverse])


def _sums(doubled: np.ndarray, n: int) -> Array:
    """Count the subsets of n by the sum of their ranks."""
    counts = np.zeros((n + 1, int(doubled.sum()) + 1))
    counts[0, 0] = 1
    for rank in doubled.tolist():
        for size in range(n, 0, -1):
            counts[size, rank:] += counts[size - 1, : counts.shape[1] - rank]
    return np.asarray(counts[n])


def _normal(doubled: np.ndarray, observed: int, n: int) -> float:
    from scipy.special import ndtr

    total = len(doubled)
    deviation = np.sqrt(n * (total - n) / (total - 1) * doubled.var())
    if deviation == 0:
        return 1.0
    distance = max(abs(observed - n * doubled.mean()) - 1, 0)  # a step of doubled ranks is 2
    return float(min(1.0, 2 * ndtr(-distance / deviation)))
