"""From `data=...` to arrays: the table of data sets, and what their keys may be.

A data set is one function (in `sweeps.drawn` or, if it is read, `sweeps.readers`), one entry in
`DATASETS` and one file in conf/data.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from sweeps import drawn, own_table, prepared, readers
from sweeps.config import DataConfig
from sweeps.drawn import DRAWING, Source, stream
from sweeps.errors import BadInput, one_of
from sweeps.prepared import Prepared

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
    streams = {} if seed is None else {"rng": stream(seed, DRAWING)}
    return DATASETS[name].function(**streams, **json.loads(arguments))


@functools.lru_cache(maxsize=64)
def _prepared(key: str, one_hot: bool, stamp: Any) -> Prepared:
    data = DataConfig(**json.loads(key))
    return prepared.from_source(_source(*_source_key(data), stamp), data, one_hot)
