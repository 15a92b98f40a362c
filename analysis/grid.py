"""The runs of a sweep counted by levels of its axes and by replicate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from analysis.frames import Study, is_numeric
from analysis.intervals import Array, effective_size, wilson

# Numeric axes with more levels are cut in two instead of compared level by level.
MOST_LEVELS = 4


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
class Side:
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
        """Return hits over runs; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return self.hits / self.runs

    def rate(self, context: int) -> Rate:
        """Return how many of one context show the symptom."""
        return Rate.of(self.hits[context], self.runs[context])


class Grid:
    """The runs of a sweep by levels of axes and by unit.

    Attributes:
        axes: to their levels.
        codes: the number of each run's level, by axis.
        n_units: how many different random numbers there are.
    """

    def __init__(self, study: Study) -> None:
        frame = study.frame
        self.axes = {axis: list(values) for axis, values in study.axes.items()}
        self.codes = study.codes
        self.units = frame["unit"].to_numpy(int)
        self.n_units = int(self.units.max()) + 1
        self.replicates = frame["replicate"].rank(method="dense").to_numpy(int) - 1
        cells = math.prod(map(len, self.axes.values()))
        self.isfull = len(frame) == cells * (int(self.replicates.max()) + 1)

    def sides(
        self, hit: np.ndarray, axis: str, fixed: Sequence[str]
    ) -> Iterator[tuple[Side, Side]]:
        """Yield every two sides of an axis, with some others held fixed and the rest pooled."""
        values = self.axes[axis]
        shape = (self._size(fixed), len(values), self.n_units)
        code = (self.code(fixed) * len(values) + self.codes[axis]) * self.n_units + self.units
        rest = self.code([other for other in self.axes if other not in (axis, *fixed)])
        tables = None if not self.isfull else _tables(code, hit, shape)
        for a, b in splits(values, isnumeric=is_numeric(axis, values)):
            kept = tables or _tables(*self._matched(axis, fixed, rest, a, b, code, hit), shape)
            yield (
                Side(a, *(table[:, a].sum(axis=1) for table in kept)),
                Side(b, *(table[:, b].sum(axis=1) for table in kept)),
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


def splits(
    values: Sequence[Any], *, isnumeric: bool
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield the two sides of each comparison along an axis, as numbers of levels."""
    n = len(values)
    if isnumeric and n > MOST_LEVELS:
        yield from ((tuple(range(k)), tuple(range(k, n))) for k in range(1, n))
    else:
        yield from (((j,), (k,)) for j, k in combinations(range(n), 2))
