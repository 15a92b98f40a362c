"""Where a symptom begins: the initial scale at which half of the runs show it, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.frames import Study

SETTINGS = ("activation", "depth", "width", "lr")
ALONG = "init_scale"
HALF = 0.5


def boundaries(study: Study) -> pd.DataFrame | None:
    """Find the boundary of every failure that occurs, with all other axes apart.

    A run counts for each failure that it shows, not only for the one that tells most about it.

    Returns:
        As from `boundary`; None where initial scales above 0 were
        not varied.
    """
    if ALONG not in study.numeric or min(study.axes[ALONG]) <= 0:
        return None
    by = [*SETTINGS, *(axis for axis in study.axes if axis not in (*SETTINGS, ALONG))]
    table = boundary(study.frame, study.occurring, by)
    for axis in study.categorical:
        table[axis] = [study.label(axis, level) for level in table[axis]]
    return table


def boundary(
    frame: pd.DataFrame, symptoms: Sequence[str], by: Sequence[str] = SETTINGS
) -> pd.DataFrame:
    """Find the scales at which the share of runs with a symptom passes one half.

    Between two neighboring scales the share is taken to be linear in the scale's logarithm. Where
    it is exactly one half at a scale between a larger and a smaller one, the boundary is there; at
    several such scales in a row, in the middle of their logarithms. A share that touches one half
    and turns back does not pass it.

    Args:
        frame: a row a run, with `init_scale` (above 0), the columns in `by` and a boolean for each
            symptom; a missing one counts as not shown.
        symptoms: their columns.
        by: what the boundary is drawn for, each combination apart; missing values are one.

    Returns:
        A row a crossing: `symptom` (its name), the columns in `by`, `init_scale`, `side` ("below"
        where the symptom is on the side of smaller scales, else "above"), and `n`, the fewest
        runs behind any of the shares it follows from. No row where no share passes one half.

    Raises:
        ValueError: a column is missing.
    """
    missing = [name for name in (*by, ALONG, *symptoms) if name not in frame]
    if missing:
        raise ValueError(f"`frame` must have a column {' and '.join(missing)}; got none.")
    rows = [
        {"symptom": symptom, **dict(zip(by, key, strict=True)), **row}
        for symptom in symptoms
        for key, part in frame.groupby(list(by), sort=False, dropna=False)
        for row in _rows(part[ALONG], part[symptom])
    ]
    return pd.DataFrame(rows, columns=["symptom", *by, ALONG, "side", "n"])


def _rows(scales: pd.Series, shown: pd.Series) -> list[dict[str, float | str | int]]:
    """Return the crossings of runs that differ in their scale only."""
    hits = shown.fillna(value=False).astype(bool).groupby(scales.to_numpy())
    counted = hits.agg(["mean", "size"]).sort_index()
    at, shares = (np.asarray(a, float) for a in (counted.index, counted["mean"]))
    return [
        {ALONG: scale, "side": side, "n": int(counted["size"].iloc[first : last + 1].min())}
        for first, last, scale, side in _crossings(at, shares)
    ]


def _crossings(
    scales: NDArray[np.float64], shares: NDArray[np.float64]
) -> list[tuple[int, int, float, str]]:
    """Return each passage of one half: its first and last place, the scale, the symptom's side."""
    excess, logs = shares - HALF, np.log(scales)
    apart = np.flatnonzero(excess)
    found = []
    for j, k in pairwise(apart):
        if excess[j] * excess[k] > 0:
            continue
        ties = logs[j + 1 : k]
        part = excess[j] / (excess[j] - excess[k])
        at = (ties[0] + ties[-1]) / 2 if len(ties) else logs[j] + part * (logs[k] - logs[j])
        found.append((int(j), int(k), float(np.exp(at)), "below" if excess[j] > 0 else "above"))
    return found
