"""Reading runs out of a store's parts as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sweeps.columns import column, read
from sweeps.errors import BadInput, one_of
from sweeps.schema import COLUMNS, SCALAR_COLUMNS, SCHEMA, SCHEMA_VERSION


def scan(
    store: str | Path, ids: Iterable[str] | None = None, columns: Sequence[str] = SCALAR_COLUMNS
) -> pa.Table:
    """Return stored runs as an Arrow table, each run once, in the order of `ids` where given.

    Args:
        store: directory of the store.
        ids: identities; those that are not there are left out. None means all runs, as stored.
        columns: of `sweeps.schema`; `run` is always there.

    Raises:
        BadInput: there is no store, no such column, or a part that cannot be read.
    """
    if not (Path(store) / "parts").is_dir():
        raise BadInput(
            f"`store` must be a store; got {store}, which "
            f"{'is none' if Path(store).exists() else 'does not exist'}. "
            "Train a sweep first: python train.py -m activation=relu,tanh"
        )
    for name in columns:
        if name not in COLUMNS:
            raise BadInput(one_of("columns", name, COLUMNS))
    wanted = ["run", *(name for name in columns if name != "run")]
    parts = sorted((Path(store) / "parts").glob("*.parquet"))
    chosen = None if ids is None else column(list(ids), pa.string())
    tables = []
    for part in parts:
        table = read(part, wanted)
        _check_version(part, table)
        if chosen is not None:
            table = table.filter(pc.is_in(table["run"], value_set=chosen))
        if len(table):
            tables.append(table)
    schema = pa.schema([SCHEMA.field(name) for name in wanted])
    empty = pa.Table.from_arrays([column([], field.type) for field in schema], schema=schema)
    # A part from before a column was invented has null in it.
    plain = [part.replace_schema_metadata(None) for part in tables]
    table = pa.concat_tables([empty, *plain], promote_options="default")
    return _once(table, chosen)


def _check_version(part: Path, table: pa.Table) -> None:
    version = int((table.schema.metadata or {}).get(b"bpcore.schema", SCHEMA_VERSION))
    if version > SCHEMA_VERSION:
        raise BadInput(
            f"{part} must have columns of version {SCHEMA_VERSION} or before; got {version}, "
            "written by a later bpcore. Update bpcore, or choose another store."
        )


def _once(table: pa.Table, order: pa.Array | None) -> pa.Table:
    """Keep the first row of each run, in the given order of runs."""
    first: dict[str, int] = {}
    for row, run in enumerate(table["run"].to_pylist()):
        first.setdefault(run, row)
    wanted = first if order is None else dict.fromkeys(order.to_pylist())
    ids = [run for run in wanted if run in first]
    return table.take(column([first[run] for run in ids], pa.int64()))
