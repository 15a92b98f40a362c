"""Intervals: of a rate, and of a median. Both at 95 %."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
CONFIDENCE = 0.95
Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(hits: ArrayLike, n: ArrayLike, z: float = Z) -> tuple[Array, Array]:
    """Return an interval of a rate from counts; it stays sensible at none and at all of n.

    Args:
        hits: how often it happened; counts that were averaged need not be whole.
        n: of how many; 0 gives the interval from 0 to 1.
        z: normal quantile of the level.

    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
        1927; recommended by Brown, Cai & DasGupta, Statistical Science 16, 2001.
    """
    hits, n = np.asarray(hits, float), np.asarray(n, float)
    safe = np.where(n > 0, n, 1.0)
    p, z2 = hits / safe, z * z
    center = (p + z2 / (2 * safe)) / (1 + z2 / safe)
    half = z / (1 + z2 / safe) * np.sqrt(p * (1 - p) / safe + z2 / (4 * safe * safe))
    # At none and at all of n the ends are exactly 0 and 1; rounding would miss them.
    low = np.where((n > 0) & (hits > 0), center - half, 0.0)
    high = np.where((n > 0) & (hits < n), center + half, 1.0)
    return low, high


def effective_size(hits: ArrayLike, runs: ArrayLike) -> float:
    """Return how many independent runs clustered ones are worth, for an interval of their rate.

    Runs of one replicate share their random numbers. As much as their replicates differ in their
    rates, as few runs are they worth: from about the number of replicates up to that of runs, less
    what it takes to know their difference from few replicates.

    Args:
        hits: `(U,)` of each replicate.
        runs: `(U,)` of each replicate, above 0.

    Source:
        Korn & Graubard, "Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data", Survey Methodology 24, 1998.
    """
    from scipy.special import stdtrit

    hits, runs = np.asarray(hits, float), np.asarray(runs, float)
    units, n = len(runs), runs.sum()
    p = hits.sum() / n
    if units < 2 or p in (0, 1):  # nothing tells how runs of a replicate hang together
        return float(units)
    residuals = (hits - p * runs) / n
    variance = units / (units - 1) * (residuals**2).sum()
    size = p * (1 - p) / variance if variance > 0 else n
    tail = 0.5 + CONFIDENCE / 2
    known = (stdtrit(max(n - 1, 1), tail) / stdtrit(units - 1, tail)) ** 2
    return float(np.clip(size * known, min(units, size), n))


@cache
def median_rank(n: int) -> int:
    """Return k such that the k-th smallest and k-th largest of n values enclose the median.

    The largest k with `1 - 2 P(Binomial(n, 1/2) < k)` at 95 % or above; 0 where n is below 6.

    Source:
        Conover, "Practical nonparametric statistics", 3rd ed. 1999, section 3.2.
    """
    from scipy.special import bdtr

    k = np.arange(1, n // 2 + 1)
    return int(np.count_nonzero(1 - 2 * bdtr(k - 1, n, 0.5) >= CONFIDENCE))


def median_interval(values: ArrayLike) -> tuple[Array, Array, Array]:
    """Return median, low and high over the first axis, with NaN left out and inf counted.

    Args:
        values: `(n, ...)`.

    Returns:
        Three arrays `(...)`. NaN where nothing is left; low and high also where fewer than six are.
    """
    ordered = np.sort(np.asarray(values, float), axis=0)  # NaN goes last
    flat = ordered.reshape(len(ordered), -1)
    counts = np.count_nonzero(~np.isnan(flat), axis=0)
    out = np.full((3, flat.shape[1]), np.nan)
    for n in np.unique(counts[counts > 0]):
        at = np.flatnonzero(counts == n)
        low, high = flat[(n - 1) // 2, at], flat[n // 2, at]
        # Halves are added before the sum can overflow; equal ones also carry inf through.
        out[0, at] = np.where(low == high, low, low / 2 + high / 2)
        if k := median_rank(int(n)):
            out[1, at], out[2, at] = flat[k - 1, at], flat[n - k, at]
    middle, low, high = out.reshape(3, *ordered.shape[1:])
    return middle, low, high
