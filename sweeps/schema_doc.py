"""The page docs/store.md, made from the schema: `python -m sweeps.schema_doc > docs/store.md`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from bpcore.probes import PROBES, SCALARS
from sweeps.schema import COLUMNS, HISTORY, SCALAR_COLUMNS, SCHEMA_VERSION

_LOSS = "loss"
_SHARE = "share, 0 to 1"

# Columns that are not listed are names, counts without a unit, or plain factors.
UNITS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("final_loss", "final_loss_test", "prior_loss"), _LOSS),
        **dict.fromkeys(("history_loss", "history_loss_test"), _LOSS),
        **dict.fromkeys(("final_accuracy", "final_accuracy_test", "final_dead_fraction"), _SHARE),
        **dict.fromkeys(("history_accuracy", "history_accuracy_test"), _SHARE),
        **dict.fromkeys(("history_dead_fraction", "history_saturated_fraction"), _SHARE),
        "seconds": "s",
        "steps": "updates",
        "epochs": "epochs",
        "history_epoch": "epochs",
        "batch_size": "samples",
        "samples": "samples",
        "samples_test": "samples",
        "depth": "layers",
        "width": "units",
        "n_in": "units",
        "n_out": "units",
    }
)

_PLAIN: Mapping[str, str] = MappingProxyType(
    {"string": "text", "double": "float64", "float": "float32", "bool": "true or false"}
)

INTRODUCTION = """\
# The store

This page is made by `python -m sweeps.schema_doc > docs/store.md`; a test compares it with the
code. It describes version VERSION of the schema, which each part carries in its metadata under
`bpcore.schema`.

A sweep writes into a directory, `store/` unless `store=DIR` says otherwise:

    store/
      parts/*.parquet        a row a run, plain Parquet; files are added, never changed
      sweeps/NAME.parquet    which runs a sweep is made of: columns run, cell, replicate
      data/DIGEST.npz        the arrays that runs were trained on
      provenance/ID.json     versions, processor and commit that runs were made with

A run is known by what it is: its network, its training, its data and its seed, after all defaults
are filled in. Two sweeps that ask for the same run share one row. So a part says nothing about
sweeps; `store/sweeps/` does. Files are written under a temporary name and renamed: a reader never
sees half of one, and several processes may write into one store. In the rare case that two of them
trained the same run at the same time, two parts hold it; `sweeps.records` reads it once.

## Read it

With this project's own reader, which knows about sweeps and adds a column for each axis:

```python
from sweeps import records

records.sweeps("store")  # names, the latest first
runs = records.runs("store")  # every run; or records.runs("store", "NAME")
runs.groupby("activation")["final_loss"].median()
curves = records.histories("store")  # a row a run and epoch
layers = records.layers("store")  # a row a run, epoch and layer
```

With pandas alone:

```python
import pandas as pd

parts = pd.read_parquet("store/parts")
parts[["activation", "lr", "final_loss"]].head()
```

With DuckDB:

```python
import duckdb

duckdb.sql("select activation, median(final_loss) from 'store/parts/*.parquet' group by activation")
# The same, of one sweep:
duckdb.sql(
    "select activation, median(final_loss) from 'store/parts/*.parquet' "
    "join 'store/sweeps/NAME.parquet' using (run) group by activation"
)
# A curve is a list; unnest makes rows of it:
duckdb.sql(
    "select run, unnest(history_epoch) as epoch, unnest(history_loss) as loss "
    "from 'store/parts/*.parquet'"
)
```

`python -m sweeps.store show NAME --csv` writes a sweep as CSV for everything else.

A diverged run has a `final_loss` of infinity or NaN. Medians that leave it out make a setting look
better than it is: count it as infinity, as the printed tables do.

## Columns with one value a run

The unit "loss" is nats for the cross-entropies and half the squared unit of the target for
`squared_error`; of the mean sample, or of all samples together with `reduction=sum`.
"""

CURVES = """\
## Columns measured while training

Each is a list with an entry for each epoch of `history_epoch`. An entry is measured at the start of
that epoch, before its first step; the last one is the end of training. Columns that say "by layer"
hold a list of layers in each entry, the first layer first, the output layer last. A diverged run's
lists end where it stopped. A column is null where it was not measured.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    curves = [f"{HISTORY}{name}" for name in ("epoch", *SCALARS, *PROBES)]
    return "\n".join(
        [
            INTRODUCTION.replace("VERSION", str(SCHEMA_VERSION)),
            *_table(SCALAR_COLUMNS),
            "",
            CURVES,
            *_table(curves),
            "",
        ]
    )


def _table(names: tuple[str, ...] | list[str]) -> list[str]:
    rows = []
    for name in names:
        column = COLUMNS[name]
        about = column.about.replace("<", "&lt;")  # or Markdown takes <digest> for HTML
        rows.append(f"| `{name}` | {_words(column.type)} | {UNITS.get(name, '')} | {about} |")
    return ["| column | type | unit | meaning |", "| --- | --- | --- | --- |", *rows]


def _words(type_: pa.DataType) -> str:
    """Say a type without Arrow's punctuation: `list of float64`."""
    if pa.types.is_list(type_):
        return f"list of {_words(type_.value_type).replace('list', 'lists')}"
    return _PLAIN.get(str(type_), str(type_))


if __name__ == "__main__":
    sys.stdout.write(page())
