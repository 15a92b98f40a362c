"""Shares of runs and their differences, each with an interval.

The replicates of two cells are pairs: they draw from the same streams. So differences are taken
within pairs, and averages over cells within replicates, before anything is made of them.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.intervals import CONFIDENCE, wilson

MOST = 0.5


class Estimate(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    def turned(self) -> Estimate:
        """Return the same of the opposite direction."""
        return Estimate(-self.value, -self.high, -self.low)


def share(hits: NDArray[np.bool_], confidence: float = CONFIDENCE) -> Estimate:
    """Return the share of hits among runs, `(n,)`, with Wilson's interval.

    >>> value, low, high = share(np.array([True] * 9 + [False]))
    >>> print(f"{value:.3f} [{low:.3f}, {high:.3f}]")
    0.900 [0.596, 0.982]
    """
    low, high = wilson(
        np.count_nonzero(hits), len(hits), NormalDist().inv_cdf((1 + confidence) / 2)
    )
    return Estimate(float(np.mean(hits)), float(low), float(high))


def side_of_half(estimate: Estimate) -> bool | None:
    """Return whether a share is clearly above one half; None where its interval holds one half."""
    if estimate.low > MOST:
        return True
    return False if estimate.high < MOST else None


def paired_difference(
    after: NDArray[np.bool_], before: NDArray[np.bool_], confidence: float = CONFIDENCE
) -> Estimate:
    """Return the difference of two shares over the same replicates, `(n,)` each.

    The interval is the adjusted Wald one: a pair of each discordant kind is added, so that it is no
    point where all pairs agree. The value is the plain difference.

    Source:
        Bonett & Price, "Adjusted Wald confidence interval for a difference of binomial proportions
        based on paired data", J. Educational and Behavioral Statistics 37, 2012, eq. 3.
    """
    n = len(after)
    gained, lost = np.count_nonzero(after & ~before), np.count_nonzero(before & ~after)
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    middle = up - down
    return Estimate((gained - lost) / n, max(middle - half, -1.0), min(middle + half, 1.0))


def mean_over_replicates(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of one number a replicate, `(n,)`, with Student's interval."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(mean, -math.inf, math.inf)
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    return Estimate(mean, mean - half, mean + half)
