"""Comparisons of the levels of an axis, run by run: same cell otherwise, same random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import Study
from analysis.intervals import CONFIDENCE, Array

LEVEL = 0.05
RESAMPLES = 1000
MOST_LEVELS = 8
ENDING, SCALE = "final loss", "scale of the loss"
# Losses closer than this share of the larger one are a tie: two runs on one plateau end with
# losses that differ in the last digits, and neither has won anything.
TIE = 0.01


@dataclass(frozen=True)
class Pairs:
    """The losses of two levels, matched.

    Attributes:
        a, b: `(n,)` final losses; a diverged run's is inf.
        unit: `(n,)` which random numbers, the same on both sides.
    """

    a: Array
    b: Array
    unit: np.ndarray

    @property
    def difference(self) -> Array:
        """Return a minus b; 0 where both are infinite."""
        with np.errstate(invalid="ignore"):
            return np.where(self.a == self.b, 0.0, self.a - self.b)

    @property
    def sign(self) -> Array:
        """Return -1 where a has the lower loss, 1 where b has, 0 at a tie."""
        difference = self.difference
        larger = np.maximum(np.abs(self.a), np.abs(self.b))
        # Infinite is far above all that is finite, not within a share of itself.
        close = (np.abs(difference) <= TIE * larger) & np.isfinite(difference)
        return np.where(close, 0.0, np.sign(difference))


def comparisons(study: Study) -> pd.DataFrame:
    """Compare every two levels of each categorical axis by final loss, of many the first eight.

    Runs whose losses are of different scales are no pair.

    Returns:
        A row a pair: `axis`, `a`, `b`, `pairs`, `replicates`; `difference`, median of the loss of a
        minus that of b, with `low` and `high`; `a_wins`, `b_wins`; `effect`, the share of pairs b
        wins minus the share a wins (1: a is always worse); `p`, corrected over the table after
        Holm; `verdict`: a, b or undecided.
    """
    rows = [
        {"axis": axis, "a": a, "b": b, **_compared(pairs)}
        for axis in study.categorical
        for a, b, pairs in _levels(study, axis)
    ]
    columns = ["axis", "a", "b", "pairs", "replicates", "difference", "low", "high"]
    columns += ["a_wins", "b_wins", "effect", "p"]
    table = pd.DataFrame(rows, columns=columns)
    table["p"] = holm(table["p"].to_numpy(float))
    clear = table["p"] <= LEVEL
    table["verdict"] = np.where(clear, np.where(table["effect"] < 0, "a", "b"), "undecided")
    return table


def _levels(study: Study, axis: str) -> Iterator[tuple[Any, Any, Pairs]]:
    """Yield every two levels of an axis with their matched runs."""
    others = [other for other in study.axes if other != axis]
    frame = study.frame
    keys = pd.DataFrame({other: study.codes[other] for other in others}, index=frame.index)
    keys[SCALE] = study.scale
    match = [*others, SCALE, "unit"]
    if axis.rpartition(".")[2] == "seed":  # its levels never share random numbers
        match, keys = [*others, SCALE, "replicate"], keys.assign(replicate=frame["replicate"])
    else:
        keys = keys.assign(unit=frame["unit"])
    side = keys.assign(**{ENDING: study.loss})  # `loss` may be the name of an axis
    levels = list(study.axes[axis])[:MOST_LEVELS]
    by_level = {k: side[study.codes[axis] == k] for k in range(len(levels))}
    for k, j in combinations(by_level, 2):
        both = by_level[k].merge(by_level[j], on=match, suffixes=("_a", "_b"))
        if len(both):
            unit = both[match[-1]].to_numpy()
            yield (
                levels[k],
                levels[j],
                Pairs(both[f"{ENDING}_a"].to_numpy(), both[f"{ENDING}_b"].to_numpy(), unit),
            )


def _compared(pairs: Pairs) -> dict[str, Any]:
    sign = pairs.sign
    low, high = bootstrap_median(pairs.difference, pairs.unit)
    return {
        "pairs": len(sign),
        "replicates": len(np.unique(pairs.unit)),
        "difference": float(_median(np.sort(pairs.difference))),
        "low": low,
        "high": high,
        "a_wins": int((sign < 0).sum()),
        "b_wins": int((sign > 0).sum()),
        "effect": float(sign.mean()),
        "p": sign_flip(np.asarray(pd.Series(sign).groupby(pairs.unit).mean(), dtype=np.float64)),
    }


def bootstrap_median(values: Array, unit: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a median, whole replicates drawn at a time.

    Runs of one replicate share random numbers and are not independent. NaN below six replicates.
    """
    codes, units = pd.factorize(unit)
    if len(units) < 6:
        return float("nan"), float("nan")
    rng = np.random.default_rng(0)  # the same frame, the same interval
    order = np.argsort(values, kind="stable")
    ordered, owner = values[order], codes[order]
    drawn = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=RESAMPLES)
    medians = np.empty(RESAMPLES)
    for k, times in enumerate(drawn):
        cumulated = np.cumsum(times[owner])
        total = cumulated[-1]
        low, high = np.searchsorted(cumulated, [(total + 1) // 2, total // 2 + 1])
        medians[k] = _middle(ordered[low], ordered[high])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _median(ordered: Array) -> float:
    return _middle(ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2])


def _middle(low: float, high: float) -> float:
    """Return the value between two, 0 between -inf and inf: as many pairs lost as won all."""
    return low if low == high else 0.0 if low == -high else low / 2 + high / 2


def sign_flip(values: Array) -> float:
    """Return p of "as likely above 0 as below", two-sided, from a number a replicate.

    All ways to choose the signs are counted where that can be done (up to 2^16), otherwise 20,000
    are drawn.

    Source:
        Fisher, "The design of experiments", 1935, section 21.
    """
    values = values[values != 0]
    n = len(values)
    if n == 0:
        return 1.0
    if n <= 16:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        sums = (1 - 2 * bits) @ values
        return float(np.mean(np.abs(sums) >= abs(values.sum()) * (1 - 1e-12)))
    rng = np.random.default_rng(0)
    signs = rng.integers(0, 2, size=(20_000, n)) * 2 - 1
    hits = np.count_nonzero(np.abs(signs @ values) >= abs(values.sum()) * (1 - 1e-12))
    return (hits + 1) / 20_001


def holm(p: Array) -> Array:
    """Return p values corrected for their number.

    Source:
        Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6, 1979.
    """
    order = np.argsort(p)
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
