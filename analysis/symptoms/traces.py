"""What rules read: the probes of many runs as rectangular arrays, cut at a moment of training.

A rule that looped over runs would take minutes over ten thousand; on arrays it is a line.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
HISTORY = "history_"


class Traces:
    """The curves of `R` runs up to a moment, padded to `K` records and `L` layers.

    Attributes:
        frame: a row a run.
        until: the share of the training asked for that has passed, above 0, up to 1.
        epochs: `(R, K)` epochs of the records; NaN behind a run's last.
        last: `(R,)` index of each run's last record.
        middle: `(R,)` index of its last record in the first half of what has passed.
    """

    def __init__(self, frame: pd.DataFrame, until: float = 1.0) -> None:
        self.frame = frame
        self.until = until
        column = frame[HISTORY + "epoch"]
        self._lengths = _lengths(column)
        self._known: dict[str, Array] = {}
        recorded = _padded(column, self._lengths)
        ends = until * frame["epochs"].to_numpy(float)
        self._kept = recorded <= ends[:, None]
        self.epochs = np.where(self._kept, recorded, np.nan)
        count = self._kept.sum(axis=1)
        self.last = np.maximum(count - 1, 0)
        halves = np.where(count > 0, self.epochs[self._rows, self.last], 0) / 2
        self.middle = np.maximum((self.epochs <= halves[:, None]).sum(axis=1) - 1, 0)

    @property
    def _rows(self) -> NDArray[np.intp]:
        return np.arange(len(self.frame))

    def has(self, probe: str) -> NDArray[np.bool_]:
        """Say of which runs something was measured, `(R,)`."""
        name = HISTORY + probe
        if name not in self.frame:
            return np.zeros(len(self.frame), bool)
        return self.frame[name].notna().to_numpy()

    def column(self, name: str) -> Array:
        """Return a column with one number a run, `(R,)`; NaN in place of a text."""
        # Where batch_size is an axis, its column holds what was asked for, "full" included.
        return pd.to_numeric(self.frame[name], errors="coerce").to_numpy(float, na_value=np.nan)

    def curve(self, probe: str) -> Array:
        """Return a measurement over records, `(R, K)` or `(R, K, L)`; NaN where there is none."""
        if probe not in self._known:
            if self.has(probe).any():
                whole = _padded(self.frame[HISTORY + probe], self._lengths)
            else:
                whole = np.full(self._kept.shape, np.nan)
            kept = self._kept.reshape(*self._kept.shape, *[1] * (whole.ndim - 2))
            self._known[probe] = np.where(kept, whole, np.nan)
        return self._known[probe]

    def now(self, probe: str) -> Array:
        """Return a measurement at the last record, `(R,)` or `(R, L)`."""
        return np.asarray(self.curve(probe)[self._rows, self.last])

    def midway(self, probe: str) -> Array:
        """Return a measurement at half of the time that has passed, `(R,)` or `(R, L)`."""
        return np.asarray(self.curve(probe)[self._rows, self.middle])

    def hidden(self, values: Array) -> Array:
        """Put NaN in the place of the output layer: `(..., L)` of measurements by layer."""
        depth = self.column("depth").reshape(-1, *[1] * (values.ndim - 1))
        return np.where(np.arange(values.shape[-1]) < depth, values, np.nan)

    def output(self, values: Array) -> Array:
        """Return the output layer's `(R,)` of `(R, L)`."""
        top = np.minimum(self.column("depth").astype(int), values.shape[-1] - 1)
        return np.asarray(values[self._rows, top])

    @cached_property
    def passed(self) -> Array:
        """Epochs between the record midway and the last, `(R,)`; 0 where they are the same."""
        now, then = (self.epochs[self._rows, at] for at in (self.last, self.middle))
        return np.asarray(np.nan_to_num(now - then))

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        """Whether a run's loss has stopped being finite by now, `(R,)`."""
        size = self.column("batch_size")
        samples = self.column("samples")
        steps_an_epoch = np.ceil(samples / np.where(np.isnan(size), samples, size))
        passed = self.until * self.column("epochs") * steps_an_epoch
        ended = (self.frame["outcome"] == "diverged").to_numpy()
        return np.asarray(ended & (self.column("steps") <= passed))


def _lengths(column: pd.Series) -> NDArray[np.intp]:
    return np.fromiter((0 if v is None else len(v) for v in column), np.intp, len(column))


def _padded(column: pd.Series, lengths: NDArray[np.intp]) -> Array:
    """Lay lists, or lists of lists, out as `(R, K)` or `(R, K, L)`; NaN fills up."""
    there = column.notna().to_numpy()
    lists = [v for v in column[there] if len(v)]
    rows = np.arange(max(lengths.max(initial=0), 1)) < np.where(there, lengths, 0)[:, None]
    if not lists:
        return np.full(rows.shape, np.nan)
    if np.ndim(lists[0][0]) == 0:
        padded = np.full(rows.shape, np.nan)
        padded[rows] = np.concatenate(lists)
        return padded
    widths = np.zeros(len(column), np.intp)
    widths[rows.any(axis=1)] = [len(v[0]) for v in lists]
    cells = rows[:, :, None] & (np.arange(widths.max()) < widths[:, None])[:, None, :]
    padded = np.full(cells.shape, np.nan)
    padded[cells] = np.concatenate([values for v in lists for values in v])
    return padded
