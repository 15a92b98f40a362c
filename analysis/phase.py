"""Phase maps: how often a failure occurs over two numeric axes, faceted by the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import Study, is_numeric
from analysis.intervals import Array, wilson
from analysis.words import settings

MOST_PANELS = 12
MOST_MAPS = 24


@dataclass(frozen=True)
class Panel:
    """One map: rows are levels of y, columns of x, both ascending.

    Attributes:
        title: the levels of the facets.
        rate: `(len(y), len(x))` share of runs; NaN where none was trained.
        runs: how many there are behind it.
        cells: the cells that are there, as lists.
    """

    title: str
    rate: Array
    runs: np.ndarray
    cells: list[list[list[int]]]


@dataclass(frozen=True)
class Phase:
    """A symptom over two axes.

    Attributes:
        pooled: axes whose levels are taken together, because there would be too many panels.
    """

    symptom: str
    x: str
    y: str
    xs: list[float]
    ys: list[float]
    facets: tuple[str, ...]
    pooled: tuple[str, ...]
    panels: list[Panel]


def pairs(study: Study, importance: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return every pair of numeric axes, first those whose maps take least together.

    Then those with the fewest panels, which are the finest maps; then those that mattered most.
    The first axis of a pair runs to the right; the learning rate always does.
    """
    ordered = sorted(study.numeric, key=lambda axis: -importance.get(axis, 0.0))

    def left_over(pair: tuple[str, str]) -> tuple[int, int]:
        others = {axis: len(v) for axis, v in study.axes.items() if axis not in pair}
        facets = facets_of({axis: study.axes[axis] for axis in others}, importance)
        panels = math.prod(others[axis] for axis in facets)
        return math.prod(others.values()) // panels, panels

    chosen = sorted(combinations(ordered, 2), key=left_over)
    return [(a, b) if a == "lr" or b != "lr" else (b, a) for a, b in chosen]


def phase(study: Study, symptom: str, x: str, y: str, importance: Mapping[str, float]) -> Phase:
    """Count how often a symptom occurs in each cell of a map."""
    xs, ys = study.axes[x], study.axes[y]
    others = [axis for axis in study.axes if axis not in (x, y)]
    facets = facets_of({axis: study.axes[axis] for axis in others}, importance)
    frame = study.frame
    hit = (frame["symptom"] == symptom).to_numpy()
    at_x, at_y = study.codes[x], study.codes[y]
    panels = []
    for places in product(*(range(len(study.axes[axis])) for axis in facets)):
        inside = np.ones(len(frame), bool)
        for axis, place in zip(facets, places, strict=True):
            inside &= study.codes[axis] == place
        if inside.any():
            levels = {a: study.axes[a][k] for a, k in zip(facets, places, strict=True)}
            title = settings(study, levels)
            at = np.flatnonzero(inside)
            panels.append(
                _panel(
                    title,
                    hit[at],
                    at_y[at],
                    at_x[at],
                    frame["cell"].to_numpy()[at],
                    (len(ys), len(xs)),
                )
            )
    pooled = tuple(axis for axis in others if axis not in facets)
    return Phase(symptom, x, y, list(xs), list(ys), facets, pooled, panels)


def _panel(
    title: str,
    hit: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    cell: np.ndarray,
    shape: tuple[int, int],
) -> Panel:
    code = y * shape[1] + x
    runs = np.bincount(code, minlength=shape[0] * shape[1])
    hits = np.bincount(code, weights=hit, minlength=shape[0] * shape[1])
    with np.errstate(invalid="ignore"):
        rate = hits / runs
    cells: list[list[list[int]]] = [[[] for _ in range(shape[1])] for _ in range(shape[0])]
    for at, number in sorted({(int(a), int(c)) for a, c in zip(code, cell, strict=True)}):
        cells[at // shape[1]][at % shape[1]].append(number)
    return Panel(title, rate.reshape(shape), runs.reshape(shape), cells)


def facets_of(
    axes: Mapping[str, Sequence[Any]], importance: Mapping[str, float]
) -> tuple[str, ...]:
    """Choose axes to make panels of, as long as they are few: names first, then what mattered.

    A name has no map of its own, and what is taken together over it is hidden.
    """
    chosen: list[str] = []
    count = 1

    def rank(axis: str) -> tuple[bool, float]:
        return is_numeric(axis, axes[axis]), -importance.get(axis, 0.0)

    for axis in sorted(axes, key=rank):
        if count * len(axes[axis]) <= MOST_PANELS:
            chosen.append(axis)
            count *= len(axes[axis])
    return tuple(axis for axis in axes if axis in chosen)


def rates(study: Study, symptoms: Sequence[str]) -> pd.DataFrame:
    """Return a row a cell and symptom: axes, `symptom`, `hits`, `runs`, `rate`, `low`, `high`."""
    frame = study.frame
    runs = frame.groupby("cell").size()
    counted = []
    for symptom in symptoms:
        hits = (frame["symptom"] == symptom).groupby(frame["cell"]).sum()
        low, high = wilson(hits, runs)
        table = study.cells.assign(
            symptom=symptom, hits=hits, runs=runs, rate=hits / runs, low=low, high=high
        )
        counted.append(table.reset_index())
    if not counted:
        columns = ["cell", *study.axes, "symptom", "hits", "runs", "rate", "low", "high"]
        return pd.DataFrame(columns=columns)
    return pd.concat(counted, ignore_index=True)


def grid_shape(panels: int, most: int = 4) -> tuple[int, int]:
    """Return rows and columns for so many panels: few rows, but fewest places left empty."""
    if panels <= most:
        return 1, panels
    columns = min((most, max(most - 1, 2)), key=lambda n: -panels % n)
    return math.ceil(panels / columns), columns
