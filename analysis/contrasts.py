"""Findings: where a failure happens and, with one thing changed, does not.

A contrast compares the runs that show a failure at two levels of one axis, with up to two further
axes held fixed and the others pooled. There are many contrasts in a sweep, so each has to be far
clearer than one alone would: all that could be made are counted, and the level of significance is
divided among them.

Runs of one replicate share their random numbers, in whatever cell they are: a layer that is born
dead is dead at every learning rate. So intervals and tests count replicates, not runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import Study
from analysis.intervals import Array, difference, wilson

# The chance that a sweep in which nothing matters reports a finding, at most.
LEVEL = 0.01
MOST_FIXED = 2
MOST_FINDINGS = 8
# Shares of runs that differ by less are not worth a sentence.
LEAST_DIFFERENCE = 0.3
# Two findings that explain more than this share of the same failing runs say the same.
MOST_OVERLAP = 0.5


@dataclass(frozen=True)
class Rate:
    """How many runs of a group show a symptom.

    Attributes:
        hits: runs that do.
        runs: of so many.
        units: different random numbers among them, which is what the interval counts.
    """

    hits: int
    runs: int
    units: int

    @property
    def share(self) -> float:
        """Return hits over runs."""
        return self.hits / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the share, as if runs of one unit were one run."""
        low, high = wilson(self.share * self.units, self.units)
        return float(low), float(high)


@dataclass(frozen=True)
class Finding:
    """A contrast that is clear.

    Attributes:
        symptom: its name.
        axis: what is changed.
        fixed: axes held fixed, and their values.
        bad, good: the two levels of the axis.
        at_bad, at_good: what is seen there.
        p: of Fisher's exact test with replicates as units, times the number of contrasts.
        rows: of the frame, the runs at the bad level.
    """

    symptom: str
    axis: str
    fixed: Mapping[str, Any]
    bad: Any
    good: Any
    at_bad: Rate
    at_good: Rate
    p: float
    rows: np.ndarray
    score: float

    @property
    def where(self) -> dict[str, Any]:
        """Return the settings of the bad group."""
        return {**self.fixed, self.axis: self.bad}


def findings(study: Study) -> list[Finding]:
    """Return the clearest contrasts of failures, most telling first, at most eight.

    Each run counts for its first symptom only. A finding's rank is how large the difference is at
    least, times the root of the share of all failures it covers.
    """
    grid = _Grid(study.frame, study.axes)
    symptoms = study.occurring
    tests = grid.count * len(symptoms)
    found = [
        finding for symptom in symptoms for finding in _candidates(study, grid, symptom, tests)
    ]
    found.sort(key=lambda finding: -finding.score)
    return _different(found, study.failing)


class _Grid:
    """The cells of a sweep as codes of levels, and the contrasts that can be made of them."""

    def __init__(self, frame: pd.DataFrame, axes: Mapping[str, Sequence[Any]]) -> None:
        self.axes = {axis: list(values) for axis, values in axes.items()}
        self.codes = {
            axis: frame[axis].map({value: k for k, value in enumerate(values)}).to_numpy(int)
            for axis, values in self.axes.items()
        }
        self.units = frame["unit"].to_numpy(int)
        self.isfull = frame["cell"].nunique() == math.prod(map(len, self.axes.values()))
        self.count = sum(
            math.comb(len(self.axes[axis]), 2) * math.prod(len(self.axes[a]) for a in fixed)
            for axis, fixed in self.choices()
        )

    def choices(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each axis to change with each choice of axes to hold fixed."""
        for axis in self.axes:
            others = [other for other in self.axes if other != axis]
            for n in range(MOST_FIXED + 1):
                for fixed in combinations(others, n):
                    yield axis, fixed

    def code(self, axes: Sequence[str]) -> np.ndarray:
        """Return the combination of levels of some axes of each run, as one number."""
        code = np.zeros(len(self.units), int)
        for axis in axes:
            code = code * len(self.axes[axis]) + self.codes[axis]
        return code

    def levels(self, axes: Sequence[str], code: int) -> dict[str, Any]:
        """Return the levels that such a number stands for."""
        levels = {}
        for axis in reversed(axes):
            code, level = divmod(code, len(self.axes[axis]))
            levels[axis] = self.axes[axis][level]
        return dict(reversed(levels.items()))


def _candidates(study: Study, grid: _Grid, symptom: str, tests: int) -> Iterator[Finding]:
    """Yield the contrasts of one symptom that are significant after all have been counted."""
    hit = (study.frame["symptom"] == symptom).to_numpy()
    failures = int(study.failing.sum())
    for axis, fixed in grid.choices():
        pairs = _full_pairs if grid.isfull else _matched_pairs
        for code, bad, good, at_bad, at_good in pairs(grid, hit, axis, fixed):
            p = min(1.0, _fisher(at_bad, at_good) * tests)
            if p > LEVEL:
                continue
            levels = grid.levels(fixed, code)
            group = grid.codes[axis] == bad
            for name in fixed:
                group &= grid.codes[name] == grid.axes[name].index(levels[name])
            units = (at_bad.share * at_bad.units, at_bad.units)
            low, _ = difference(*units, at_good.share * at_good.units, at_good.units)
            score = low * math.sqrt((hit & group).sum() / failures) * 0.97 ** len(fixed)
            yield Finding(
                symptom,
                axis,
                levels,
                grid.axes[axis][bad],
                grid.axes[axis][good],
                at_bad,
                at_good,
                p,
                np.flatnonzero(group),
                score,
            )


_Pair = tuple[int, int, int, Rate, Rate]


def _full_pairs(grid: _Grid, hit: np.ndarray, axis: str, fixed: Sequence[str]) -> Iterator[_Pair]:
    """Yield pairs of levels that differ enough, where every combination was trained."""
    n_levels = len(grid.axes[axis])
    code = grid.code(fixed) * n_levels + grid.codes[axis]
    size = n_levels * math.prod(len(grid.axes[a]) for a in fixed)
    runs = np.bincount(code, minlength=size).reshape(-1, n_levels)
    hits = np.bincount(code, weights=hit, minlength=size).reshape(-1, n_levels)
    each = np.unique(np.stack([code, grid.units]), axis=1)[0]
    units = np.bincount(each, minlength=size).reshape(-1, n_levels)
    with np.errstate(invalid="ignore"):
        share = hits / runs
    for context, bad, good in _far_apart(share):
        yield (
            context,
            bad,
            good,
            Rate(int(hits[context, bad]), int(runs[context, bad]), int(units[context, bad])),
            Rate(int(hits[context, good]), int(runs[context, good]), int(units[context, good])),
        )


def _far_apart(share: Array) -> Iterator[tuple[int, int, int]]:
    """Yield context, worse and better level of each pair that differs enough."""
    apart = share[:, :, None] - share[:, None, :] >= LEAST_DIFFERENCE
    for context, bad, good in zip(*np.nonzero(apart), strict=True):
        yield int(context), int(bad), int(good)


def _matched_pairs(
    grid: _Grid, hit: np.ndarray, axis: str, fixed: Sequence[str]
) -> Iterator[_Pair]:
    """Yield such pairs where combinations are missing: from those there are at both levels."""
    code, levels = grid.code(fixed), grid.codes[axis]
    rest = grid.code([a for a in grid.axes if a != axis and a not in fixed])
    for context in np.unique(code):
        inside = code == context
        rows = {
            level: np.flatnonzero(inside & (levels == level)) for level in np.unique(levels[inside])
        }
        for a, b in combinations(rows, 2):
            both = np.intersect1d(rest[rows[a]], rest[rows[b]])
            kept = [r[np.isin(rest[r], both)] for r in (rows[a], rows[b])]
            if not len(both):
                continue
            at = [Rate(int(hit[r].sum()), len(r), len(np.unique(grid.units[r]))) for r in kept]
            if at[0].share - at[1].share >= LEAST_DIFFERENCE:
                yield int(context), int(a), int(b), at[0], at[1]
            elif at[1].share - at[0].share >= LEAST_DIFFERENCE:
                yield int(context), int(b), int(a), at[1], at[0]


def _fisher(worse: Rate, better: Rate) -> float:
    """Return p of Fisher's exact test, two-sided as twice the smaller side.

    Shares become counts of units, rounded towards each other.
    """
    from scipy.special import betaln

    a, n = math.floor(worse.share * worse.units + 1e-9), worse.units
    b, m = math.ceil(better.share * better.units - 1e-9), better.units
    k = np.arange(a, min(n, a + b) + 1)
    if not len(k) or a + b > n + m:
        return 1.0

    def choose(n: int, k: Any) -> Any:
        return -betaln(n - k + 1, k + 1) - math.log(n + 1)

    logs = choose(n, k) + choose(m, a + b - k) - choose(n + m, a + b)
    return min(1.0, 2 * float(np.exp(logs).sum()))


def _different(found: Sequence[Finding], failing: np.ndarray) -> list[Finding]:
    """Keep the best of those that say the same."""
    kept: list[Finding] = []
    for finding in found:
        mine = {int(row) for row in finding.rows if failing[row]}
        told = [
            {int(row) for row in other.rows if failing[row]}
            for other in kept
            if other.symptom == finding.symptom
        ]
        if all(len(mine & other) <= MOST_OVERLAP * len(mine) for other in told):
            kept.append(finding)
        if len(kept) == MOST_FINDINGS:
            break
    return kept
