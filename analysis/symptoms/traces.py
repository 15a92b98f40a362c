"""What rules read: the probes of many runs as rectangular arrays, cut at a moment of training.

A rule that looped over runs would take minutes over ten thousand; on arrays it is a line.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
HISTORY = "history_"
_BY_LAYER = ("grad_norm", "weight_norm", "update_ratio", "dead_fraction", "saturated_fraction")


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
        self._rows = np.arange(len(frame))
        self._arrays: dict[str, pa.Array] = {}
        self._curves: dict[str, Array] = {}
        recorded = _padded(self._array(HISTORY + "epoch"))
        self._kept = recorded <= (until * self.column("epochs"))[:, None]
        self.epochs = np.where(self._kept, recorded, np.nan)
        count = self._kept.sum(axis=1)
        self.last = np.maximum(count - 1, 0)
        half = np.where(count > 0, self.epochs[self._rows, self.last], 0) / 2
        self.middle = np.maximum((self.epochs <= half[:, None]).sum(axis=1) - 1, 0)

    def has(self, probe: str) -> Flags:
        """Say of which runs something was measured, `(R,)`."""
        return np.asarray(self._array(HISTORY + probe).is_valid().to_numpy(zero_copy_only=False))

    def column(self, name: str) -> Array:
        """Return a column with one number a run, `(R,)`; NaN in place of a text."""
        # Where batch_size is an axis, its column holds what was asked for, "full" included.
        return pd.to_numeric(self.frame[name], errors="coerce").to_numpy(float, na_value=np.nan)

    def curve(self, probe: str) -> Array:
        """Return a measurement over records, `(R, K)` or `(R, K, L)`; NaN where there is none."""
        if probe not in self._curves:
            self._curves[probe] = self._curve(HISTORY + probe)
        return self._curves[probe]

    def _curve(self, name: str) -> Array:
        values = _padded(self._array(name))
        if values.ndim == 2 and name.removeprefix(HISTORY) in _BY_LAYER:  # null throughout
            values = np.full((*values.shape, int(self.depth.max(initial=0)) + 1), np.nan)
        whole = np.full((*self._kept.shape, *values.shape[2:]), np.nan)
        whole[:, : values.shape[1]] = values  # narrower where runs lack the probe
        whole[~self._kept] = np.nan
        return whole

    def _array(self, name: str) -> pa.Array:
        if name not in self._arrays:
            there = name in self.frame
            self._arrays[name] = _arrow(self.frame[name]) if there else pa.nulls(len(self.frame))
        return self._arrays[name]

    def now(self, probe: str) -> Array:
        """Return a measurement at the last record, `(R,)` or `(R, L)`."""
        return np.asarray(self.curve(probe)[self._rows, self.last])

    def midway(self, probe: str) -> Array:
        """Return a measurement at half of the time that has passed, `(R,)` or `(R, L)`."""
        return np.asarray(self.curve(probe)[self._rows, self.middle])

    @cached_property
    def depth(self) -> NDArray[np.intp]:
        """Hidden layers of each run, `(R,)`, as many as its lists by layer tell."""
        # Where depth is an axis, its column may hold null, "the usual one".
        counts = [_layers(self._array(HISTORY + probe)) for probe in _BY_LAYER]
        return np.asarray(np.maximum(np.max(counts, axis=0), 1) - 1)

    def hidden(self, values: Array) -> Array:
        """Put NaN in the place of the output layer: `(..., L)` of measurements by layer."""
        depth = self.depth.reshape(-1, *[1] * (values.ndim - 1))
        return np.where(np.arange(values.shape[-1]) < depth, values, np.nan)

    @cached_property
    def passed(self) -> Array:
        """Epochs between the record midway and the last, `(R,)`; NaN where they are the same."""
        now, then = (self.epochs[self._rows, at] for at in (self.last, self.middle))
        return np.where(now > then, now - then, np.nan)

    @cached_property
    def updates(self) -> Array:
        """Updates in the whole training asked for, `(R,)`."""
        size, samples = self.column("batch_size"), self.column("samples")
        an_epoch = np.ceil(samples / np.where(np.isnan(size), samples, size))
        return np.asarray(self.column("epochs") * an_epoch)

    @cached_property
    def diverged(self) -> Flags:
        """Whether a run's loss has stopped being finite by now, `(R,)`."""
        ended = (self.frame["outcome"] == "diverged").to_numpy(bool)
        return np.asarray(ended & (self.column("steps") <= self.until * self.updates))


def _arrow(column: pd.Series) -> pa.Array:
    array = pa.array(column, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _lengths(array: pa.Array) -> NDArray[np.intp]:
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False), np.intp)


def _layers(array: pa.Array) -> NDArray[np.intp]:
    """Return the number of layers in each run's lists of lists, 0 where there are none."""
    if not _nested(array.type):
        return np.zeros(len(array), np.intp)
    records = _lengths(array)
    layers = np.append(_lengths(pc.list_flatten(array)), 0)
    return np.where(records > 0, layers[np.cumsum(records) - records], 0)


def _nested(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) and pa.types.is_list(type_.value_type))


def _padded(array: pa.Array) -> Array:
    """Lay lists, or lists of lists, out as `(R, K)` or `(R, K, L)`; NaN fills up."""
    if not pa.types.is_list(array.type):  # null throughout
        return np.full((len(array), 1), np.nan)
    flat = pc.list_flatten(array)
    rows = _block(_lengths(array))
    if not _nested(array.type):
        return _filled(rows, flat.to_numpy(zero_copy_only=False))
    cells = _block(_lengths(flat))
    records = _filled(cells, pc.list_flatten(flat).to_numpy(zero_copy_only=False))
    return _filled(rows, records)


def _block(lengths: NDArray[np.intp]) -> Flags:
    """Return `(n, longest)`: which places of a rectangle lists of these lengths fill.

    It has a column also where all lists are empty, so that there is a last record to look at.
    """
    return np.asarray(np.arange(lengths.max(initial=1)) < lengths[:, None])


def _filled(places: Flags, values: NDArray[np.generic]) -> Array:
    out = np.full((*places.shape, *values.shape[1:]), np.nan)
    out[places] = values
    return out
