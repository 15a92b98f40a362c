"""How the loss went: medians over replicates, by level of an axis; and layers of a few cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.frames import Study
from analysis.histories import epochs_of, on, spread
from analysis.intervals import Array, median_interval
from analysis.symptoms.traces import Traces

MOST_LEVELS = 6
MOST_EPOCHS = 60


def by_axis(study: Study, axis: str | None) -> pd.DataFrame:
    """Return the loss over epochs at each level of an axis, or of all runs where it is None.

    Each replicate gives one curve, the median over its cells; the line is the median of these, its
    interval that of a median over replicates. A diverged run counts as infinite.

    Returns:
        A row a level and epoch: `level` (text), `epoch`, `median`, `low`, `high` (NaN below six
        replicates), `runs`.
    """
    epochs = _thinned(epochs_of(study.traces))
    loss = on(study.traces, "loss", epochs)
    values = study.axes[axis] if axis else ["all"]
    unit = study.frame["unit"].to_numpy()
    parts = []
    for level in spread(len(values), MOST_LEVELS):
        rows = np.flatnonzero(study.codes[axis] == level) if axis else np.arange(len(unit))
        each = np.stack([_median(loss[rows[unit[rows] == u]]) for u in np.unique(unit[rows])])
        middle, low, high = median_interval(each)
        parts.append(
            pd.DataFrame(
                {
                    "level": study.label(axis or "", values[level]),
                    "epoch": epochs,
                    "median": middle,
                    "low": low,
                    "high": high,
                    "runs": len(rows),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    return table[table["median"].notna()].reset_index(drop=True)


def _thinned(epochs: Array) -> Array:
    """Return at most so many epochs, spread evenly over their order."""
    return np.asarray(epochs[spread(len(epochs), MOST_EPOCHS)])


def _median(values: Array) -> Array:
    return median_interval(values)[0]


def ranked_cells(study: Study) -> pd.Series:
    """Return the median final loss of each cell, best first; diverged runs count as infinite."""
    return study.relative_loss.groupby(study.frame["cell"]).median().sort_values(kind="stable")


def three_cells(study: Study) -> dict[str, int]:
    """Choose the best, the median and the worst cell; fewer where there are fewer."""
    order = list(ranked_cells(study).index)
    chosen = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    return {
        word: cell
        for k, (word, cell) in enumerate(chosen.items())
        if cell not in list(chosen.values())[:k]
    }


def inside(study: Study, cell: int, probe: str) -> pd.DataFrame:
    """Return a probe by layer and epoch, the median over the runs of a cell.

    Returns:
        A row a layer and epoch: `layer` (from 1), `epoch`, `median`. Empty where the probe was not
        recorded.
    """
    rows = study.frame["cell"].to_numpy() == cell
    recorded = ~np.isnan(study.traces.epochs[rows])
    if not recorded.any() or not study.traces.has(probe)[rows].any():
        return pd.DataFrame(columns=["layer", "epoch", "median"], dtype=float)
    traces = Traces(study.traces.frame[rows].reset_index(drop=True))
    epochs = _thinned(epochs_of(traces))
    values = _median(on(traces, probe, epochs))  # (E, L)
    epoch, layer = np.meshgrid(epochs, np.arange(1, values.shape[1] + 1), indexing="ij")
    table = pd.DataFrame({"layer": layer.ravel(), "epoch": epoch.ravel(), "median": values.ravel()})
    return table[table["median"].notna()].reset_index(drop=True)
