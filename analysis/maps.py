"""Medians of a sweep over two of its numeric axes: a table for each cell of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from analysis.frames import text

MOST_PANELS = 24


@dataclass(frozen=True)
class Map:
    """What is drawn.

    Attributes:
        panels: title to medians; rows are values of `y`, columns of `x`, both ascending. NaN where
            there is no run, inf where half of the runs or more diverged.
        x, y: axes of the sweep.
        value: column the medians are of.
        prior: loss of the best output that ignores the input; None where the sweep has several, or
            the value is no loss.
        runs: the fewest and the most runs behind a median.
    """

    panels: dict[str, pd.DataFrame]
    x: str
    y: str
    value: str
    prior: float | None
    runs: tuple[int, int]


def medians(
    frame: pd.DataFrame, axes: Sequence[str], x: str | None, y: str | None, value: str
) -> Map:
    """Take the median of `value` in every cell.

    A diverged run counts as an infinite loss: left out, it would make a cell look better.

    Args:
        frame: a row a run, with a column for each axis.
        axes: of the sweep.
        x: the axis to the right; None: the first of the two numeric ones with most levels.
        y: the axis upwards; None: the next.
        value: a numeric column.

    Raises:
        ValueError: an axis or the value cannot be drawn.
    """
    numeric = [axis for axis in axes if _is_number(frame[axis])]
    longest = sorted(numeric, key=lambda axis: -frame[axis].nunique())[:2]
    numeric.sort(key=lambda axis: axis not in longest)  # these two first, in the order given
    x, y = _axes(numeric, x, y)
    if value not in frame or not _is_number(frame[value]):
        known = ", ".join(
            str(n) for n in frame if n not in (*axes, "cell") and _is_number(frame[n])
        )
        raise ValueError(f"`--value` must be one of {known}; got {value}.")
    is_loss = value.startswith("final_loss")
    if is_loss:
        frame = frame.assign(**{value: frame[value].mask(frame["outcome"] == "diverged", np.inf)})
    others = [axis for axis in axes if axis not in (x, y)]
    # As texts, because some axes hold lists, and null is not equal to itself.
    frame = frame.assign(**{axis: frame[axis].map(text) for axis in others})
    values = [frame[axis].unique() for axis in others]
    if (count := math.prod(map(len, values))) > MOST_PANELS:
        raise ValueError(
            f"A picture must have at most {MOST_PANELS} panels; got {count}, one for each value of "
            f"{', '.join(others)}. Train a sweep with fewer values of them."
        )
    panels = {}
    for chosen in product(*values):
        rows = frame
        for axis, at in zip(others, chosen, strict=True):
            rows = rows[rows[axis] == at]
        title = ", ".join(f"{a} = {v}" for a, v in zip(others, chosen, strict=True))
        table = rows.pivot_table(index=y, columns=x, values=value, aggfunc="median")
        panels[title] = table.reindex(
            index=np.sort(frame[y].unique()), columns=np.sort(frame[x].unique())
        )
    priors = frame["prior_loss"].unique().tolist() if is_loss else []
    sizes = frame.groupby(["cell"]).size()
    prior = float(priors[0]) if len(priors) == 1 else None
    return Map(panels, x, y, value, prior, (int(sizes.min()), int(sizes.max())))


def _is_number(column: pd.Series) -> bool:
    return is_numeric_dtype(column) and not is_bool_dtype(column)


def _axes(numeric: Sequence[str], x: str | None, y: str | None) -> tuple[str, str]:
    listed = ", ".join(numeric) or "none"
    for flag, axis in (("--x", x), ("--y", y)):
        if axis is not None and axis not in numeric:
            raise ValueError(
                f"`{flag}` must be a numeric axis of the sweep ({listed}); got {axis}."
            )
    if x is not None and x == y:
        raise ValueError(f"`--y` must be another axis than --x; got {y} for both.")
    left = [axis for axis in numeric if axis not in (x, y)]
    needed = (x is None) + (y is None)
    if len(left) < needed:
        raise ValueError(
            f"A map must have two numeric axes; this sweep has {listed}. Train one with two, "
            "as lr=log:1e-2:10:7 init_scale=0.01,0.1,1."
        )
    x = left.pop(0) if x is None else x
    return x, left[0] if y is None else y
