"""Findings: where a failure happens and, with one thing changed, does not.

A contrast compares the runs that show a failure on two sides of one axis (two levels; of an axis
with many levels, below and above one of them), with up to two further axes held fixed and the
others pooled. A sweep has many contrasts, so each has to be far clearer than one alone would.

Runs of one replicate share their random numbers, in whatever cell they are: a layer that is born
dead is dead at every learning rate. So tests compare replicates, and intervals are as wide as the
differences between replicates make them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from analysis.frames import Study, is_numeric
from analysis.intervals import Array, effective_size, wilson
from analysis.ranksum import least_p, rank_sum

# The chance that a sweep in which nothing matters reports a finding, at most.
LEVEL = 0.02
# Its parts for contrasts with no, one and two axes held fixed, of which there are ever more.
PARTS = (0.5, 0.3, 0.2)
MOST_FINDINGS = 8
# Numeric axes with more levels are cut in two instead of compared level by level.
MOST_LEVELS = 4
# Shares of runs that differ by less are not worth a sentence.
LEAST_DIFFERENCE = 0.3
# Symptoms that are a smaller share of the failures are left to the maps.
LEAST_SHARE = 0.02
# Two findings that cover more than this share of the same failing runs say the same.
MOST_OVERLAP = 0.5
# A sentence with one condition more must be clearer by this factor to be worth it.
PLAINER = 0.97


@dataclass(frozen=True)
class Rate:
    """How many runs of a group show a symptom.

    Attributes:
        hits: runs that do.
        runs: of so many.
        units: different random numbers among them.
        size: how many independent runs they are worth.
    """

    hits: int
    runs: int
    units: int
    size: float

    @classmethod
    def of(cls, hits: Array, runs: Array) -> Rate:
        """Count from the `(U,)` hits and runs of every unit."""
        there = runs > 0
        size = effective_size(hits[there], runs[there])
        return cls(int(hits.sum()), int(runs.sum()), int(there.sum()), size)

    @property
    def share(self) -> float:
        """Return hits over runs."""
        return self.hits / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the share."""
        low, high = wilson(self.share * self.size, self.size)
        return float(low), float(high)


@dataclass(frozen=True)
class Finding:
    """A contrast that is clear.

    Attributes:
        symptom: its name.
        axis: what is changed.
        fixed: axes held fixed, and their values.
        bad, good: levels of the axis on the two sides.
        at_bad, at_good: what is seen there.
        p: of the rank-sum test of replicates' shares, corrected for all contrasts.
        rows: of the frame, the runs on the bad side.
        score: what findings are ordered by.
    """

    symptom: str
    axis: str
    fixed: Mapping[str, Any]
    bad: tuple[Any, ...]
    good: tuple[Any, ...]
    at_bad: Rate
    at_good: Rate
    p: float
    rows: np.ndarray
    score: float


@dataclass(frozen=True)
class _Side:
    """One side of an axis in every context.

    Attributes:
        levels: of the axis, by number.
        hits, runs: `(contexts, units)`.
    """

    levels: tuple[int, ...]
    hits: Array
    runs: Array

    @property
    def shares(self) -> Array:
        with np.errstate(invalid="ignore"):
            return self.hits / self.runs

    def rate(self, context: int) -> Rate:
        return Rate.of(self.hits[context], self.runs[context])


@dataclass(frozen=True)
class _Contrast:
    """A symptom on two sides of an axis in one context."""

    symptom: str
    axis: str
    fixed: tuple[str, ...]
    context: int
    bad: _Side
    good: _Side
    least: float

    def p(self) -> float:
        """Return p of the test, uncorrected."""
        return rank_sum(*(_known(side.shares[self.context]) for side in (self.bad, self.good)))


@dataclass(frozen=True)
class _Batch:
    """The contrasts of a symptom at one split of an axis, one a context.

    Attributes:
        n_fixed: how many axes are held fixed.
        contrasts: those that differ enough.
        least: `(contexts,)` the least p of every context.
    """

    n_fixed: int
    contrasts: list[_Contrast]
    least: Array


def findings(study: Study) -> list[Finding]:
    """Return the clearest contrasts of failures, most telling first, at most eight.

    Each run counts for its most telling symptom only. A finding's rank is the difference of the
    shares times the root of the share of all failures it covers.
    """
    grid = _Grid(study)
    failures = int(study.failing.sum())
    contrasts: list[_Contrast] = []
    least: list[list[Array]] = [[] for _ in PARTS]
    for symptom in study.occurring:
        hit = (study.frame["symptom"] == symptom).to_numpy()
        # How often a symptom occurs in all says nothing of where: leaving out costs no level.
        if hit.sum() >= LEAST_SHARE * failures:
            for batch in grid.contrasts(symptom, hit):
                contrasts += batch.contrasts
                least[batch.n_fixed].append(batch.least)
    factors = [
        counted(np.concatenate(each), LEVEL * part) / part if each else math.inf
        for each, part in zip(least, PARTS, strict=True)
    ]
    found = []
    for contrast in contrasts:
        factor = factors[len(contrast.fixed)]
        if contrast.least * factor <= LEVEL and (p := contrast.p() * factor) <= LEVEL:
            found.append(_finding(study, grid, contrast, p, failures))
    found.sort(key=lambda finding: -finding.score)
    return _different(found, study.failing)


def counted(least: Array, level: float) -> int:
    """Return how many of the tests have to be counted: those that could be significant.

    The smallest K such that at most K tests can reach `level` divided by K.

    Source:
        Tarone, Biometrics 46, 1990.
    """
    ordered = np.sort(least)
    k = 1
    while np.searchsorted(ordered, level / k, side="right") > k:
        k += 1
    return k


class _Grid:
    """The runs of a sweep by levels of axes and by unit."""

    def __init__(self, study: Study) -> None:
        frame = study.frame
        self.axes = {axis: list(values) for axis, values in study.axes.items()}
        self.codes = {
            axis: frame[axis]
            .map({value: k for k, value in enumerate(values)})
            .fillna(next((k for k, v in enumerate(values) if v is None or v != v), 0))
            .to_numpy(int)
            for axis, values in self.axes.items()
        }
        self.units = frame["unit"].to_numpy(int)
        self.n_units = int(self.units.max()) + 1
        self.replicates = frame["replicate"].rank(method="dense").to_numpy(int) - 1
        cells = math.prod(map(len, self.axes.values()))
        self.isfull = len(frame) == cells * (int(self.replicates.max()) + 1)

    def contrasts(self, symptom: str, hit: np.ndarray) -> Iterator[_Batch]:
        """Yield the contrasts of a symptom, an axis and a choice of fixed axes at a time."""
        for axis in self.axes:
            others = [other for other in self.axes if other != axis]
            for n in range(len(PARTS)):
                for fixed in combinations(others, n):
                    for a, b in self._sides(hit, axis, fixed):
                        yield _compared(symptom, axis, fixed, a, b)

    def _sides(
        self, hit: np.ndarray, axis: str, fixed: Sequence[str]
    ) -> Iterator[tuple[_Side, _Side]]:
        values = self.axes[axis]
        shape = (self._size(fixed), len(values), self.n_units)
        code = (self.code(fixed) * len(values) + self.codes[axis]) * self.n_units + self.units
        rest = self.code([other for other in self.axes if other not in (axis, *fixed)])
        tables = None if not self.isfull else _tables(code, hit, shape)
        for a, b in _splits(values, isnumeric=is_numeric(axis, values)):
            kept = tables or _tables(*self._matched(axis, fixed, rest, a, b, code, hit), shape)
            yield (
                _Side(a, *(table[:, a].sum(axis=1) for table in kept)),
                _Side(b, *(table[:, b].sum(axis=1) for table in kept)),
            )

    def _matched(
        self,
        axis: str,
        fixed: Sequence[str],
        rest: np.ndarray,
        a: tuple[int, ...],
        b: tuple[int, ...],
        code: np.ndarray,
        hit: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keep runs whose other settings occur on both sides, with the same replicate.

        Where cells or runs are missing, the sides would else differ in more than the axis.
        """
        setting = self.code(fixed) * (int(rest.max()) + 1) + rest
        if rest.any():  # where nothing is pooled, all runs of a side have the same settings
            setting = setting * (int(self.replicates.max()) + 1) + self.replicates
        level = self.codes[axis]
        both = np.intersect1d(setting[np.isin(level, a)], setting[np.isin(level, b)])
        kept = np.isin(setting, both)
        return code[kept], hit[kept]

    def _size(self, axes: Sequence[str]) -> int:
        return math.prod(len(self.axes[axis]) for axis in axes)

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


def _tables(code: np.ndarray, hit: np.ndarray, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return hits and runs by context, level and unit."""
    size = math.prod(shape)
    hits = np.bincount(code, weights=hit.astype(float), minlength=size).astype(float)
    runs = np.bincount(code, minlength=size).astype(float)
    return hits.reshape(shape), runs.reshape(shape)


def _splits(
    values: Sequence[Any], *, isnumeric: bool
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield the two sides of each comparison along an axis, as numbers of levels."""
    n = len(values)
    if isnumeric and n > MOST_LEVELS:
        yield from ((tuple(range(k)), tuple(range(k, n))) for k in range(1, n))
    else:
        yield from (((j,), (k,)) for j, k in combinations(range(n), 2))


def _compared(symptom: str, axis: str, fixed: tuple[str, ...], a: _Side, b: _Side) -> _Batch:
    """Compare two sides in every context."""
    shares = [side.shares for side in (a, b)]
    least = _least(*shares)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = [side.hits.sum(axis=1) / side.runs.sum(axis=1) for side in (a, b)]
        apart = np.nan_to_num(mean[0] - mean[1])
    contrasts = [
        _Contrast(symptom, axis, fixed, int(k), *((a, b) if apart[k] > 0 else (b, a)), least[k])
        for k in np.flatnonzero(np.abs(apart) >= LEAST_DIFFERENCE)
    ]
    return _Batch(len(fixed), contrasts, least)


def _least(a: Array, b: Array) -> Array:
    """Return the least p of each context; 1 where a side has no runs."""
    present = ~np.isnan(a).any(axis=1) & ~np.isnan(b).any(axis=1)
    least = np.ones(len(a))
    if present.any():
        least[present] = least_p(a[present], b[present])
    for k in np.flatnonzero(~present):  # units are missing: an interrupted sweep
        mine, other = _known(a[k]), _known(b[k])
        if len(mine) and len(other):
            least[k] = least_p(mine[None], other[None])[0]
    return least


def _known(shares: Array) -> Array:
    return shares[~np.isnan(shares)]


def _finding(study: Study, grid: _Grid, contrast: _Contrast, p: float, failures: int) -> Finding:
    fixed = grid.levels(contrast.fixed, contrast.context)
    group = np.isin(grid.codes[contrast.axis], contrast.bad.levels)
    group &= grid.code(contrast.fixed) == contrast.context
    bad, good = contrast.bad.rate(contrast.context), contrast.good.rate(contrast.context)
    covered = (group & (study.frame["symptom"] == contrast.symptom).to_numpy()).sum() / failures
    values = grid.axes[contrast.axis]
    return Finding(
        contrast.symptom,
        contrast.axis,
        fixed,
        tuple(values[k] for k in contrast.bad.levels),
        tuple(values[k] for k in contrast.good.levels),
        bad,
        good,
        p,
        np.flatnonzero(group),
        (bad.share - good.share) * math.sqrt(covered) * PLAINER ** len(fixed),
    )


def _different(found: Sequence[Finding], failing: np.ndarray) -> list[Finding]:
    """Keep the best of those that say the same."""
    kept: list[tuple[Finding, set[int]]] = []
    for finding in found:
        mine = set(finding.rows[failing[finding.rows]].tolist())
        told = [rows for other, rows in kept if other.symptom == finding.symptom]
        if all(len(mine & rows) <= MOST_OVERLAP * len(mine) for rows in told):
            kept.append((finding, mine))
        if len(kept) == MOST_FINDINGS:
            break
    return [finding for finding, _ in kept]
