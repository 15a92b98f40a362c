"""How an author's arrays are read and written as layers of one canonical form.

Canonical: samples are rows, `z = a W + b` with `W` of shape `(n_in, n_out)` and `b` of shape
`(n_out,)`. A layout is a table of indices into the author's raveled arrays, so transposes, biases
inside the weights and one flat vector are one thing, for parameters and for gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from diagnosis.calls import Array

# The label of the first class, by what `Layout.targets` calls them.
FIRST_LABEL: Mapping[str, int] = MappingProxyType({"labels": 0, "labels from 1": 1})


def in_rows(data: Array) -> Array:
    """Return a pile of samples, such as columns `(m, n, 1)` or pictures, as rows `(m, n)`."""
    return data.reshape(len(data), -1) if data.ndim > 2 else data


@dataclass(frozen=True)
class View:
    """Part of an author's array in canonical shape: indices into the raveled array."""

    name: str
    index: Array

    def read(self, arrays: Mapping[str, Array]) -> Array:
        """Return this part of the author's parameters or gradients."""
        return np.asarray(arrays[self.name], float).reshape(-1)[self.index]

    def write(self, arrays: Mapping[str, Array], values: Array) -> None:
        """Set this part of arrays of the author's shapes, in place."""
        arrays[self.name].reshape(-1)[self.index] = values

    @property
    def key(self) -> tuple[str, bytes]:
        """What identifies the entries, in any order."""
        return self.name, np.sort(self.index, axis=None).tobytes()


@dataclass(frozen=True)
class LayerViews:
    """Where weights and bias of a layer are; gamma and beta of a batch norm, if it has one."""

    W: View
    b: View | None
    style: str = "in,out"
    scale: View | None = None
    shift: View | None = None


@dataclass(frozen=True)
class Layout:
    """How to read a subject.

    Attributes:
        layers: from the input up.
        rows: whether samples are rows of X.
        targets: how Y becomes `(samples, n_out)`: "rows", "columns", "vector", "single", or
            one of `FIRST_LABEL`.
        cost: how unusual it is.
    """

    layers: tuple[LayerViews, ...]
    rows: bool
    targets: str
    cost: float

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, the inputs first."""
        first = self.layers[0].W.index.shape[0]
        return (first, *(layer.W.index.shape[1] for layer in self.layers))

    def inputs(self, X: Array) -> Array:
        """Return X with samples as rows."""
        X = in_rows(np.asarray(X, float))
        if X.ndim == 1:
            return X[:, None] if self.rows else X[None, :]
        return X if self.rows else X.T

    def outputs(self, Y: Array) -> Array:
        """Return Y as `(samples, n_out)`."""
        Y = in_rows(np.asarray(Y, float))
        if self.targets in FIRST_LABEL:
            labels = Y.reshape(-1).astype(int) - FIRST_LABEL[self.targets]
            return np.asarray(labels[:, None] == np.arange(self.widths[-1]), float)
        if self.targets == "vector":
            return Y.reshape(-1, 1)
        if self.targets == "single":
            return Y.reshape(1, -1)
        return Y if self.targets == "rows" else Y.T

    @property
    def words(self) -> str:
        """The layout for a reader."""
        weights = sorted({layer.style for layer in self.layers})
        return f"samples in {'rows' if self.rows else 'columns'}, W {' and '.join(weights)}"

    @property
    def bias_words(self) -> str:
        """Where the biases are, for a reader."""
        kinds = []
        for layer in self.layers:
            if layer.b is None:
                kinds.append("none")
            elif layer.b.index.ndim == 2:
                kinds.append("one for every sample")
            elif layer.b.name == layer.W.name:
                kinds.append("in the weights")
            else:
                kinds.append("own array")
        return ", ".join(dict.fromkeys(kinds))
