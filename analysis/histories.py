"""Curves of many runs on one grid of epochs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.symptoms.traces import Array, Traces

READ = tuple(
    f"history_{name}" for name in ("epoch", "loss", "output_spread", "grad_norm", "dead_fraction")
)


def spread(n: int, most: int) -> NDArray[np.intp]:
    """Return the places of n things, or where they are more, of so many spread evenly.

    >>> spread(11, 3).tolist()
    [0, 5, 10]
    """
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).round().astype(np.intp))


def epochs_of(traces: Traces) -> Array:
    """Return all epochs at which any run was measured, ascending."""
    return np.unique(traces.epochs[~np.isnan(traces.epochs)])


def on(traces: Traces, probe: str, epochs: Array) -> Array:
    """Return a measurement at given epochs, `(R, E)` or `(R, E, L)`.

    NaN where it was not recorded at an epoch. The loss of a run that diverged is inf from there on,
    because leaving it out would make its cell look better.
    """
    values = traces.curve(probe)
    out = np.full((len(values), len(epochs), *values.shape[2:]), np.nan)
    rows, columns = np.nonzero(~np.isnan(traces.epochs))
    at = np.minimum(np.searchsorted(epochs, traces.epochs[rows, columns]), len(epochs) - 1)
    hit = epochs[at] == traces.epochs[rows, columns]
    out[rows[hit], at[hit]] = values[rows[hit], columns[hit]]
    if probe == "loss":
        ended = traces.diverged
        last = np.nanmax(np.where(np.isnan(traces.epochs), -1, traces.epochs), axis=1)
        behind = ended[:, None] & (epochs > last[:, None])
        broken = ended[:, None] & ~np.isfinite(out) & (epochs == last[:, None])
        out[behind | broken] = np.inf
    return out
