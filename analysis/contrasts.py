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
from analysis.grid import Grid, Rate, Side, splits
from analysis.intervals import Array
from analysis.ranksum import least_p, rank_sum

# The chance that a sweep in which nothing matters reports a finding, at most.
LEVEL = 0.02
# Its parts for contrasts with no, one and two axes held fixed, of which there are ever more.
PARTS = (0.5, 0.3, 0.2)
MOST_FINDINGS = 8
# Shares of runs that differ by less are not worth a sentence.
LEAST_DIFFERENCE = 0.3
# Symptoms that are a smaller share of the failures are left to the maps.
LEAST_SHARE = 0.02
# Two findings that cover more than this share of the same failing runs say the same.
MOST_OVERLAP = 0.5
# A sentence with one condition more must be clearer by this factor to be worth it.
PLAINER = 0.97


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
        otherwise: share of the good side that fails in another way.
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
    otherwise: float
    score: float


@dataclass(frozen=True)
class _Contrast:
    """A symptom on two sides of an axis in one context."""

    symptom: str
    axis: str
    fixed: tuple[str, ...]
    context: int
    bad: Side
    good: Side
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
    shares times the root of the share of all failures it covers, times the share of the better
    side's runs that do not fail otherwise.
    """
    grid = Grid(study)
    failures = int(study.failing.sum())
    contrasts: list[_Contrast] = []
    least: list[list[Array]] = [[] for _ in PARTS]
    for symptom in study.occurring:
        hit = (study.frame["symptom"] == symptom).to_numpy()
        # How often a symptom occurs in all says nothing of where: leaving out costs no level.
        if hit.sum() >= LEAST_SHARE * failures:
            for batch in _batches(grid, symptom, hit):
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
    # Where every run fails, in one way or another, there is no way out to tell of.
    found = [finding for finding in found if finding.otherwise < 1]
    found.sort(key=lambda finding: -finding.score)
    return _different(found, study.failing)


def enough_replicates(study: Study) -> int:
    """Return with how many replicates a failure that is one level's, and of all its runs, is found.

    The least p of the rank-sum test on n against n replicates is 2 over the binomial coefficient
    of 2n over n; it has to be clear after counting the contrasts in which no axis is held fixed.
    """
    axes = study.axes.items()
    sides = sum(len(list(splits(v, isnumeric=is_numeric(axis, v)))) for axis, v in axes)
    contrasts, n = max(sides * len(study.occurring), 1), 1
    while 2 / math.comb(2 * n, n) * contrasts / PARTS[0] > LEVEL:
        n += 1
    return n


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


def _batches(grid: Grid, symptom: str, hit: np.ndarray) -> Iterator[_Batch]:
    """Yield the contrasts of a symptom, an axis and a choice of fixed axes at a time."""
    for axis in grid.axes:
        others = [other for other in grid.axes if other != axis]
        for n in range(len(PARTS)):
            for fixed in combinations(others, n):
                for a, b in grid.sides(hit, axis, fixed):
                    yield _compared(symptom, axis, fixed, a, b)


def _compared(symptom: str, axis: str, fixed: tuple[str, ...], a: Side, b: Side) -> _Batch:
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


def _finding(study: Study, grid: Grid, contrast: _Contrast, p: float, failures: int) -> Finding:
    fixed = grid.levels(contrast.fixed, contrast.context)
    mine = (study.frame["symptom"] == contrast.symptom).to_numpy()
    here = grid.code(contrast.fixed) == contrast.context
    group = here & np.isin(grid.codes[contrast.axis], contrast.bad.levels)
    better = here & np.isin(grid.codes[contrast.axis], contrast.good.levels)
    bad, good = contrast.bad.rate(contrast.context), contrast.good.rate(contrast.context)
    otherwise = float((study.failing & ~mine)[better].mean())
    covered = (group & mine).sum() / failures
    score = (bad.share - good.share) * (1 - otherwise) * math.sqrt(covered)
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
        otherwise,
        score * PLAINER ** len(fixed),
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
