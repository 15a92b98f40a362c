"""From `data=...` to arrays: the table of data sets, their preparation, and their digest.

A data set is one function (in `sweeps.drawn` or, if it is read, `sweeps.readers`), one entry in
`DATASETS` and one file in conf/data.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeps import drawn, own_table, readers
from sweeps.config import DataConfig
from sweeps.drawn import Array, Source
from sweeps.errors import BadInput, one_of
from sweeps.whole import write_whole

# Child streams of data.seed; they begin at 1 because SeedSequence takes [s, 0] for [s].
DRAWING, SPLITTING = 1, 2

ALWAYS = ("samples", "one_hot", "target_low", "target_high", "standardize", "test_fraction", "seed")


@dataclass(frozen=True)
class Dataset:
    """An entry of the table.

    Attributes:
        function: Makes the source from the keys that are set; null leaves it its own default.
        keys: Keys of `data` it takes, apart from those of every data set. One that takes `samples`
            draws them and takes an rng too; of any other the first shuffled samples are kept.
        about: One line for the help.
    """

    function: Callable[..., Source]
    keys: tuple[str, ...]
    about: str


DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        "xor": Dataset(drawn.xor, ("samples", "noise"), "exclusive or: four points, or clouds"),
        "moons": Dataset(drawn.moons, ("samples", "noise"), "two interleaved half circles"),
        "circles": Dataset(drawn.circles, ("samples", "noise"), "a circle inside a circle"),
        "spirals": Dataset(
            drawn.spirals, ("samples", "noise", "classes"), "spiral arms, one a class"
        ),
        "flower": Dataset(drawn.flower, ("samples", "noise"), "Andrew Ng's two-class petals"),
        "blobs": Dataset(
            drawn.blobs, ("samples", "noise", "classes"), "round Gaussian clouds, one a class"
        ),
        "breast_cancer": Dataset(readers.breast_cancer, (), "tumors: 569 x 30, two classes"),
        "digits": Dataset(readers.digits, (), "8 x 8 images of digits: 1797 x 64, ten classes"),
        "mnist": Dataset(readers.mnist, ("path",), "28 x 28 images of digits, from IDX files"),
        "table": Dataset(
            own_table.table, ("path", "target", "task"), "your own .csv, .parquet or .npz"
        ),
    }
)


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


ARRAYS = ("X", "Y", "X_test", "Y_test")


def prepare(data: DataConfig | Mapping[str, Any], one_hot: bool) -> Prepared:
    """Draw or read a data set, shuffle and split, standardize, and encode its targets.

    The same configuration gives the same object again, unless its files have changed since.

    Args:
        data: The `data` part of a run's configuration.
        one_hot: Whether the network needs one unit a class; `data.one_hot`, where set, overrides.
            More than two classes are always one-hot, regression never is.

    Raises:
        BadInput: A key or a file cannot be used.
    """
    checked = _checked(data)
    wanted = one_hot if checked.one_hot is None else checked.one_hot
    return _prepared(_key(checked), wanted, stamp(checked.path))


def raw_classes(data: DataConfig | Mapping[str, Any]) -> int:
    """Count the classes of a data set, 0 for regression; `prepare` reads nothing a second time.

    Raises:
        BadInput: A key or a file cannot be used.
    """
    checked = _checked(data)
    return len(_source(*_source_key(checked), stamp(checked.path)).classes)


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


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        "samples": ("a whole number of at least 1", lambda n: _whole(n) and n >= 1),
        "noise": ("a finite number of at least 0", lambda s: _number(s) and s >= 0),
        "classes": ("a whole number of at least 2", lambda n: _whole(n) and n >= 2),
        "path": ("the name of a file or directory", lambda p: isinstance(p, str)),
        "target": ("the name of a column", lambda t: isinstance(t, str)),
        "one_hot": ("true or false", lambda b: isinstance(b, bool)),
        "target_low": ("a finite number", _number),
        "target_high": ("a finite number", _number),
        "standardize": ("true or false", lambda b: isinstance(b, bool)),
        "test_fraction": ("at least 0 and below 1", lambda f: _number(f) and 0 <= f < 1),
        "seed": ("a whole number of at least 0", lambda n: _whole(n) and n >= 0),
    }
)


def _shown(value: object) -> str:
    """Write a value as it stands on the command line."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _checked(data: DataConfig | Mapping[str, Any]) -> DataConfig:
    """Check every key at the door: its name, its value, and whether it means anything here."""
    fields: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(DataConfig)}
    given = vars(data) if isinstance(data, DataConfig) else dict(data)
    for key in given:
        if key not in fields:
            raise BadInput(one_of("a key of data", key, fields))
    values = fields | given
    if isinstance(values["path"], Path):
        values["path"] = str(values["path"])
    if values["name"] not in DATASETS:
        raise BadInput(one_of("data", values["name"], DATASETS))
    for key, (rule, holds) in RULES.items():
        may_be_null = fields[key] is None
        if not (holds(values[key]) or (may_be_null and values[key] is None)):
            raise BadInput(
                f"`data.{key}` must be {rule}; got {_shown(values[key])}."
                " Change it or leave it out."
            )
    if values["target_low"] >= values["target_high"]:
        raise BadInput(
            f"`data.target_low` must be below data.target_high, {values['target_high']};"
            f" got {values['target_low']}. Change one of them."
        )
    keys = DATASETS[values["name"]].keys
    applies = [key for key in fields if key in (*keys, *ALWAYS)]
    for key, usual in fields.items():
        if key not in ("name", *applies) and values[key] != usual:
            raise BadInput(
                f"`data.{key}` must be left out for data={values['name']}, where it means nothing;"
                f" got {values[key]}. Keys that apply: {', '.join(applies)}."
            )
    return DataConfig(**values)


def _key(data: DataConfig) -> str:
    # NumPy's numbers are welcome from Python; JSON knows only Python's.
    return json.dumps(vars(data), sort_keys=True, default=np.generic.item)


def stamp(path: str | None) -> tuple[tuple[str, int, int], ...]:
    """Tell one state of a file, or of the IDX files in a directory, from the next."""
    if path is None:
        return ()
    place = Path(path).expanduser().absolute()
    files = sorted(place.glob("*ubyte*")) if place.is_dir() else [place]
    states = [(str(file), file.stat()) for file in files if file.is_file()]
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


def _source_key(data: DataConfig) -> tuple[str, str, int | None]:
    """Name, arguments and seed of the function that makes the source; no seed where none draws."""
    keys = DATASETS[data.name].keys
    given = {key: value for key in keys if (value := getattr(data, key)) is not None}
    arguments = json.dumps(given, sort_keys=True, default=np.generic.item)
    return data.name, arguments, int(data.seed) if "samples" in keys else None


@functools.lru_cache(maxsize=64)
def _source(name: str, arguments: str, seed: int | None, _stamp: object) -> Source:
    streams = {} if seed is None else {"rng": _stream(seed, DRAWING)}
    return DATASETS[name].function(**streams, **json.loads(arguments))


def _stream(seed: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, purpose]))


@functools.lru_cache(maxsize=64)
def _prepared(key: str, one_hot: bool, stamp: Any) -> Prepared:
    data = DataConfig(**json.loads(key))
    source = _source(*_source_key(data), stamp)
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
        order = _stream(data.seed, SPLITTING).permutation(available)[:kept]
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


def _read_only(array: Array) -> Array:
    """Guard what caches share."""
    array.flags.writeable = False
    return array
