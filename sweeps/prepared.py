"""Data sets as arrays: made of what was drawn or read, known by a digest, kept in the store."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeps.config import DataConfig
from sweeps.drawn import SPLITTING, Array, Source, stream
from sweeps.errors import BadInput
from sweeps.whole import write_whole

ARRAYS = ("X", "Y", "X_test", "Y_test")


@dataclass(frozen=True)
class Prepared:
    """Arrays a network can be trained on, and what is needed to read them. Do not write into them.

    Attributes:
        name: Name of the data set.
        X: `(n_in, m)` float64; samples are columns.
        Y: `(n_out, m)` float64. Classification: `target_high` in the row of the sample's class and
            `target_low` elsewhere, or one row that is high for `classes[1]`. Regression: the
            target itself, `(1, m)`.
        X_test: `(n_in, m_test)`; `m_test` may be 0.
        Y_test: `(n_out, m_test)`.
        classes: Names of the classes; empty for regression.
        features: Names of the rows of `X`.
        midpoint: `(target_low + target_high) / 2`; what parts the classes in a single row.
        digest: 32 hex digits over arrays, midpoint and kind of task; never over path or name.
    """

    name: str
    X: Array
    Y: Array
    X_test: Array
    Y_test: Array
    classes: tuple[str, ...]
    features: tuple[str, ...]
    midpoint: float
    digest: str

    @property
    def classification(self) -> bool:
        """Whether the targets stand for classes."""
        return bool(self.classes)


def from_source(source: Source, data: DataConfig, one_hot: bool) -> Prepared:
    """Make arrays of a source: shuffled and split, standardized, targets encoded.

    Args:
        source: what was drawn or read.
        data: how it is wanted.
        one_hot: whether two classes get a unit each; more always do.

    Raises:
        BadInput: there are too few samples for what is wanted.
    """
    rows = _split(source, data)
    X, X_test = (_columns(source.X[chosen] / source.unit) for chosen in rows)
    if data.standardize:
        X, X_test = _standardized(X, X_test)
    Y, Y_test = (_encoded(source, source.y[chosen], one_hot, data) for chosen in rows)
    arrays = {"X": X, "Y": Y, "X_test": X_test, "Y_test": Y_test}
    midpoint = (data.target_low + data.target_high) / 2
    return Prepared(
        name=Path(data.path).name if data.name == "table" and data.path else data.name,
        **{name: _read_only(array) for name, array in arrays.items()},
        classes=source.classes,
        features=source.features,
        midpoint=midpoint,
        digest=_digest(arrays, midpoint, bool(source.classes)),
    )


def _split(source: Source, data: DataConfig) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose the rows to train on and to test on; only a source that is used whole keeps its order.

    The split of the source itself wins over `test_fraction`.
    """
    available = len(source.y) - source.held_out
    kept = available if data.samples is None else data.samples
    if kept > available:
        raise BadInput(
            f"`data.samples` must be at most {available}, all there are to train on in"
            f" {data.name}; got {kept}. Lower it or leave it out."
        )
    fraction = 0.0 if source.held_out else data.test_fraction
    order = np.arange(available)
    if fraction > 0 or kept < available:
        order = stream(data.seed, SPLITTING).permutation(available)[:kept]
    n_test = round(fraction * kept)
    if fraction > 0 and not 0 < n_test < kept:
        raise BadInput(
            "`data.test_fraction` must leave samples both to train and to test on; got"
            f" {fraction} of {kept}. Change it or take more samples."
        )
    train, test = order[: kept - n_test], order[kept - n_test :]
    if source.held_out:
        test = np.arange(available, len(source.y))
    lost = set(range(len(source.classes))) - set(source.y[train].tolist())
    if lost:
        key = "test_fraction" if fraction > 0 else "path" if data.samples is None else "samples"
        raise BadInput(
            f"`data.{key}` must leave samples of every class to train on; got"
            f" {getattr(data, key)}, which leaves none of class {source.classes[min(lost)]}."
            " Change it, or draw otherwise by data.seed."
        )
    return train, test


def _columns(rows: NDArray[Any]) -> Array:
    return np.ascontiguousarray(rows.T, dtype=np.float64)


def _standardized(X: Array, X_test: Array) -> tuple[Array, Array]:
    """Scale each feature to mean 0 and deviation 1 (over m, not m - 1) of the training samples."""
    constant = np.ptp(X, axis=1, keepdims=True) == 0
    # The mean of equal numbers may miss them by a last bit, which a deviation of 1 would let stand.
    mean = np.where(constant, X[:, :1], X.mean(axis=1, keepdims=True))
    std = np.where(constant, 1.0, X.std(axis=1, keepdims=True))
    return (X - mean) / std, (X_test - mean) / std


def _encoded(source: Source, y: NDArray[Any], one_hot: bool, data: DataConfig) -> Array:
    if not source.classes:
        return np.array(y[None, :], dtype=np.float64)
    n = len(source.classes)
    high = y == np.arange(n)[:, None] if one_hot or n > 2 else y[None, :] == 1
    return np.where(high, float(data.target_high), float(data.target_low))


def _digest(arrays: Mapping[str, Array], midpoint: float, classification: bool) -> str:
    digest = hashlib.sha256(json.dumps([midpoint, classification]).encode())
    for name in ARRAYS:
        digest.update(f"{arrays[name].dtype.str}{arrays[name].shape}".encode())
        digest.update(arrays[name].data)
    return digest.hexdigest()[:32]


def save(prepared: Prepared, store: Path) -> Path:
    """Write `store/data/<digest>.npz`, whole or not at all; one that is there is left alone."""
    final = _file(store, prepared.digest)
    if final.exists():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {name: getattr(prepared, name) for name in ARRAYS}
    for name in ("name", "classes", "features"):
        content[name] = np.array(getattr(prepared, name), dtype=np.str_)

    def write(path: Path) -> None:
        with path.open("xb") as stream:
            np.savez(stream, midpoint=np.float64(prepared.midpoint), **content)

    write_whole(final, write)
    return final


@functools.lru_cache(maxsize=8)
def load(store: Path, digest: str) -> Prepared:
    """Read what `save` wrote; a worker reads each data set once.

    Name, classes and features are those of whoever saved these arrays first.
    """
    with np.load(_file(store, digest), allow_pickle=False) as file:
        return Prepared(
            name=str(file["name"]),
            **{name: _read_only(file[name]) for name in ARRAYS},
            classes=tuple(file["classes"].tolist()),
            features=tuple(file["features"].tolist()),
            midpoint=float(file["midpoint"]),
            digest=digest,
        )


def _file(store: Path, digest: str) -> Path:
    return store / "data" / f"{digest}.npz"


def _read_only(array: Array) -> Array:
    """Guard what caches share."""
    array.flags.writeable = False
    return array
