"""Where a symptom begins: the initial scale at which half of the runs show it, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

COLUMNS = ("activation", "depth", "width", "lr")
ALONG = "init_scale"
HALF = 0.5


def boundary(frame: pd.DataFrame, symptom: str, by: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Find the scales at which the share of runs with a symptom passes one half.

    Between two neighboring scales the share is taken to be linear in the scale's logarithm. Where a
    share is exactly one half at a scale, that scale is on the boundary.

    Args:
        frame: a row a run, with `init_scale` (above 0), the columns in `by` and `symptom`, a
            boolean; a missing one counts as not shown.
        symptom: the column.
        by: what the boundary is drawn for, each combination apart.

    Returns:
        A row a crossing: `symptom` (its name), the columns in `by`, `init_scale`, `side` ("below"
        where the symptom is on the side of smaller scales, else "above"), and `n`, the fewest
        runs behind either of both shares. No row where no share passes one half.

    Raises:
        ValueError: a column is missing.
    """
    missing = [name for name in (*by, ALONG, symptom) if name not in frame]
    if missing:
        raise ValueError(f"`frame` must have a column {' and '.join(missing)}; got none.")
    rows = []
    shown = frame.assign(**{symptom: frame[symptom].fillna(False).astype(bool)})
    for key, part in shown.groupby(list(by), sort=True):
        counted = part.groupby(ALONG)[symptom].agg(["mean", "size"]).sort_index()
        scales, shares = (np.asarray(a, float) for a in (counted.index, counted["mean"]))
        for at, scale, side in _crossings(scales, shares):
            n = int(counted["size"].iloc[at : at + 2].min())
            rows.append(
                {"symptom": symptom, **dict(zip(by, key, strict=True)), ALONG: scale}
                | {"side": side, "n": n}
            )
    return pd.DataFrame(rows, columns=["symptom", *by, ALONG, "side", "n"])


def _crossings(
    scales: NDArray[np.float64], shares: NDArray[np.float64]
) -> list[tuple[int, float, str]]:
    """Return the place, the scale and the symptom's side of each crossing of one half."""
    high, logs = shares >= HALF, np.log(scales)
    found = []
    for k in np.flatnonzero(high[1:] != high[:-1]):
        part = (HALF - shares[k]) / (shares[k + 1] - shares[k])
        scale = float(np.exp(logs[k] + part * (logs[k + 1] - logs[k])))
        found.append((int(k), scale, "below" if high[k] else "above"))
    return found
