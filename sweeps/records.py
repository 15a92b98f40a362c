"""Reading a store back as pandas frames. Nothing here writes, and analysis reads nothing else.

    >>> from sweeps import records
    >>> frame = records.runs("store")            # doctest: +SKIP
    >>> frame.groupby("activation")["final_loss"].median()    # doctest: +SKIP

The files are plain Parquet: `pandas.read_parquet("store/parts")` reads them as well, and DuckDB
`select * from 'store/parts/*.parquet'`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bpcore.probes import PROBES, SCALARS
from sweeps.columns import read
from sweeps.errors import BadInput as BadInput  # analysis raises it too
from sweeps.errors import nearest, unreadable
from sweeps.errors import one_of as one_of  # and phrases errors so
from sweeps.scanning import scan
from sweeps.schema import HISTORY
from sweeps.schema import SCALAR_COLUMNS as SCALAR_COLUMNS  # for readers, who import only this


def runs(
    store: str | Path = "store",
    sweep: str | None = None,
    columns: Sequence[str] = SCALAR_COLUMNS,
) -> pd.DataFrame:
    """Return a row a run: results, configuration, where it was made (columns: docs/store.md).

    Args:
        store: directory of the store.
        sweep: only the runs of this sweep, with its columns `cell` and one for each axis.
        columns: of `sweeps.schema`.

    Raises:
        BadInput: there is no such sweep.
    """
    if sweep is None:
        return _frame(scan(store, None, columns))
    about, members = manifest(store, sweep)
    frame = _frame(scan(store, members["run"].to_pylist(), columns))
    frame = _frame(members.select(["run", "cell"])).merge(frame, on="run", how="inner")
    cells = about["cells"]
    for axis in about["axes"]:
        values = [cells[cell]["values"].get(axis) for cell in frame["cell"]]
        frame[axis] = [tuple(v) if isinstance(v, list) else v for v in values]
    return frame


def table(
    store: str | Path = "store",
    ids: Iterable[str] | None = None,
    columns: Sequence[str] = SCALAR_COLUMNS,
) -> pa.Table:
    """Return a row a run as an Arrow table, in the order of `ids` where they are given.

    Args:
        store: directory of the store.
        ids: identities of runs; those that are not there are left out. None means all.
        columns: of `sweeps.schema`, lists of measurements among them.
    """
    return scan(store, ids, columns)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


def histories(
    store: str | Path = "store", sweep: str | None = None, ids: Iterable[str] | None = None
) -> pd.DataFrame:
    """Return a row a run and recorded epoch: loss, accuracy, output spread, test values.

    Args:
        store: directory of the store.
        sweep: only the runs of this sweep.
        ids: only these runs.
    """
    names = [*SCALARS, *(name for name, probe in PROBES.items() if not probe.per_layer)]
    table = scan(store, _members(store, sweep, ids), [HISTORY + n for n in ("epoch", *names)])
    lengths = pc.list_value_length(table[HISTORY + "epoch"]).to_numpy()
    frame = pd.DataFrame({"run": table["run"].to_pandas().repeat(lengths)}).reset_index(drop=True)
    frame["epoch"] = pc.list_flatten(table[HISTORY + "epoch"]).to_numpy()
    for name in names:
        frame[name] = _flat(table[HISTORY + name], lengths)
    return frame


def _flat(column: pa.ChunkedArray, lengths: Any) -> Any:
    """Flatten a list column; where a run has none, as many NaN as it has epochs."""
    series = column.to_pandas()
    return pd.Series(
        [
            value
            for values, n in zip(series, lengths, strict=True)
            for value in ([float("nan")] * n if values is None else values)
        ],
        dtype=float,
    )


def layers(
    store: str | Path = "store", sweep: str | None = None, ids: Iterable[str] | None = None
) -> pd.DataFrame:
    """Return a row a run, recorded epoch and layer (from 1): every probe that looks into layers."""
    names = [name for name, probe in PROBES.items() if probe.per_layer]
    table = scan(store, _members(store, sweep, ids), [HISTORY + n for n in ("epoch", *names)])
    rows: dict[str, list[Any]] = {name: [] for name in ("run", "epoch", "layer", *names)}
    for record in table.to_pylist():
        present = [name for name in names if record[HISTORY + name] is not None]
        depth = len(record[HISTORY + present[0]][0]) if present and record["history_epoch"] else 0
        for k, epoch in enumerate(record[HISTORY + "epoch"]):
            rows["run"] += [record["run"]] * depth
            rows["epoch"] += [epoch] * depth
            rows["layer"] += range(1, depth + 1)
            for name in names:
                values = record[HISTORY + name]
                rows[name] += [None] * depth if values is None else values[k]
    return pd.DataFrame(rows).astype(dict.fromkeys(names, float))


def _members(
    store: str | Path, sweep: str | None, ids: Iterable[str] | None
) -> Iterable[str] | None:
    if sweep is None:
        return ids
    members = manifest(store, sweep)[1]["run"].to_pylist()
    wanted = set(members if ids is None else ids)
    return [run for run in members if run in wanted]


def sweeps(store: str | Path = "store") -> list[str]:
    """Return the names of the store's sweeps, the latest first."""
    files = (Path(store) / "sweeps").glob("[!.]*.parquet")
    return [path.stem for path in sorted(files, key=lambda p: p.stat().st_mtime_ns, reverse=True)]


def manifest(store: str | Path, name: str) -> tuple[dict[str, Any], pa.Table]:
    """Return what a sweep is about (command, axes, cells) and its rows `run`, `cell`, `replicate`.

    Raises:
        BadInput: there is no such sweep.
    """
    path = Path(store) / "sweeps" / f"{name}.parquet"
    if not path.is_file():
        names = sweeps(store)
        guess = nearest(name, names)
        hint = f" Did you mean {guess}?" if guess else ""
        if not names:
            raise BadInput(
                f"`sweep` must be one of those in {store}, which has none yet; got {name}. "
                "Train one first: python train.py -m activation=relu,tanh"
            )
        listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise BadInput(f"`sweep` must be one of those in {store}: {listed}; got {name}.{hint}")
    table = read(path)
    return json.loads(table.schema.metadata[b"bpcore.sweep"]), table


def provenance(store: str | Path, identity: str) -> dict[str, Any]:
    """Return where runs were made.

    Raises:
        StoreFailed: the store does not say.
    """
    path = Path(store) / "provenance" / f"{identity}.json"
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    return loaded
