"""What mattered: how much of the difference between runs goes with each axis, and each pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from analysis.frames import Study
from analysis.intervals import CONFIDENCE, Array

MANY = 100_000  # more levels than an axis has
RESAMPLES = 200


Codes = dict[tuple[str, ...], np.ndarray]


def shares(study: Study) -> pd.DataFrame:
    """Split the variance of the ranks of the final losses over axes and pairs of axes.

    Ranks, because losses span orders of magnitude and diverged runs have none: these rank last, and
    equal. The share is omega squared, which expects 0 of an axis that does nothing; where cells are
    missing, axes share what cannot be told apart.

    Returns:
        A row an axis and a pair: `axes` (a tuple), `share`, `low`, `high` (95 %, replicates drawn
        anew), sorted; then `("replicates",)`, what differs between runs of one cell, and
        `("rest",)`, what three axes or more do together, where there are so many.

    Source:
        Hays, "Statistics for psychologists", 1963, section 12.18 (omega squared).
    """
    frame = study.frame
    losses = rounded(study.relative_loss.to_numpy())
    ranks: Array = np.asarray(pd.Series(losses).rank(), dtype=np.float64)
    terms: list[tuple[str, ...]] = [(axis,) for axis in study.axes]
    terms += list(combinations(study.axes, 2))
    groups: Codes = {
        term: pd.factorize(sum(study.codes[axis] * MANY**k for k, axis in enumerate(term)))[0]
        for term in terms
    }
    cells = frame["cell"].to_numpy(int)
    whole = _split(ranks, np.ones(len(ranks)), groups, cells)
    drawn = _resampled(ranks, groups, cells, frame["unit"].to_numpy(int))
    rows = []
    others = [("replicates",), *([("rest",)] if len(study.axes) > 2 else [])]
    for k, term in enumerate([*terms, *others]):
        low, high = (np.nan, np.nan)
        if drawn is not None:
            tail = (1 - CONFIDENCE) / 2
            low, high = np.quantile(drawn[:, k], [tail, 1 - tail])
        rows.append({"axes": term, "share": whole[k], "low": low, "high": high})
    table = pd.DataFrame(rows)
    return pd.concat(
        [
            table[: len(terms)].sort_values("share", ascending=False, kind="stable"),
            table[len(terms) :],
        ],
        ignore_index=True,
    )


def rounded(losses: Array) -> Array:
    """Round to steps of about 1 %: runs on one plateau rank alike, whatever their last digits."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.round(np.log(np.maximum(losses, 1e-300)), 2))


def _split(y: Array, weight: Array, groups: Codes, cells: np.ndarray) -> Array:
    """Return the share of each term, then of replicates and of the rest."""
    total_weight = weight.sum()
    mean = (weight * y).sum() / total_weight
    centered = y - mean

    def between(code: np.ndarray) -> tuple[float, int]:
        w = np.bincount(code, weights=weight)
        s = np.bincount(code, weights=weight * centered)
        there = w > 0
        return float((s[there] ** 2 / w[there]).sum()), int(there.sum()) - 1

    total = float((weight * centered**2).sum())
    explained, degrees = between(cells)
    within = max(total - explained, 0.0)
    free = total_weight - degrees - 1
    noise = within / free if free > 0 else 0.0
    if total <= 0:
        return np.zeros(len(groups) + 2)
    squares: dict[tuple[str, ...], tuple[float, int]] = {}
    for term, code in groups.items():
        s, df = between(code)
        for single in term if len(term) > 1 else ():
            s, df = s - squares[(single,)][0], df - squares[(single,)][1]
        squares[term] = (max(s, 0.0), max(df, 0))
    scale = total + noise
    omega = [max(s - df * noise, 0.0) / scale for s, df in squares.values()]
    alone = within / total if free > 0 else 0.0
    return np.array([*omega, alone, max(1.0 - sum(omega) - alone, 0.0)])


def _resampled(y: Array, groups: Codes, cells: np.ndarray, units: np.ndarray) -> Array | None:
    count = units.max() + 1
    if count < 6:
        return None
    rng = np.random.default_rng(0)
    times = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.stack([_split(y, drawn[units].astype(float), groups, cells) for drawn in times])
