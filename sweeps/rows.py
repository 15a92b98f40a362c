"""From a stack's result to an Arrow table, a row a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bpcore import ENGINE_VERSION, StackResult
from sweeps.columns import column, numbers
from sweeps.plan import Stack
from sweeps.schema import COLUMNS, HISTORY, SCHEMA

_OF_RUN = ("seed", "replicate", "lr", "init_scale", "init_low", "init_high", "bias_scale")


def table(stack: Stack, result: StackResult, provenance: str) -> pa.Table:
    """Return the rows of one stack.

    Args:
        stack: what was trained.
        result: what training it left.
        provenance: identity of where it was made.
    """
    n, runs = len(stack.ids), stack.runs
    columns: dict[str, Any] = {
        "run": list(stack.ids),
        "outcome": np.where(result.diverged, "diverged", "finished").tolist(),
        "final_loss": result.loss,
        "final_dead_fraction": _nullable(_dead_fraction(result)),
        "steps": result.steps,
        "seconds": np.full(n, result.seconds / n),
        "engine": [ENGINE_VERSION] * n,
        "provenance": [provenance] * n,
        "weight_decay": [run.weight_decay for run in runs],
        "scale_factor": [list(run.scale_factor) for run in runs],
        "lr_factor": [list(run.lr_factor) for run in runs],
    }
    for name in ("accuracy", "loss_test", "accuracy_test"):
        columns["final_" + name] = _nullable(result.final(name))
    for name in _OF_RUN:
        columns[name] = [getattr(run, name) for run in runs]
    for name in stack.columns[0]:
        columns[name] = [setting[name] for setting in stack.columns]
    columns |= _histories(stack, result)
    arrays = [
        columns[name]
        if isinstance(columns.get(name), pa.Array)
        else column(columns.get(name, [None] * n), kept.type)
        for name, kept in COLUMNS.items()
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _nullable(values: NDArray[Any]) -> pa.Array:
    """NaN of a value that does not exist is null."""
    return numbers(values, pa.float64(), np.isnan(values))


def _dead_fraction(result: StackResult) -> NDArray[Any]:
    """Share of all hidden units that are dead at the end; NaN where not measured."""
    hidden = np.array(result.spec.sizes[1:-1])
    if "dead_fraction" not in result.history or not len(hidden):
        return np.full(len(result), np.nan)
    by_layer = result.final("dead_fraction")[:, :-1]
    return np.asarray(by_layer @ hidden / hidden.sum())


def _measured(name: str, stack: Stack) -> bool:
    """Say whether there was anything to measure; never by values, which depend on the stack."""
    setting = stack.columns[0]
    there = setting["samples_test"] > 0 if name.endswith("_test") else True
    return there and (setting["classes"] > 0 or not name.startswith("accuracy"))


def _histories(stack: Stack, result: StackResult) -> dict[str, pa.Array]:
    """Cut every history at the run's end and lay it out as a list column."""
    K = len(result.spec.record)
    kept = np.arange(K) < result.recorded[:, None]
    offsets = _ends(result.recorded)
    epochs = np.broadcast_to(np.array(result.spec.record, np.int32), kept.shape)
    columns = {"epoch": _lists(offsets, numbers(epochs[kept], pa.int32()), "epoch")}
    for name, values in result.history.items():
        chosen = values[kept]
        if values.ndim == 2:  # (R, K): one value an epoch
            if not _measured(name, stack):
                continue
            items = numbers(chosen, pa.float64())
        else:
            with np.errstate(over="ignore"):  # of a run that explodes: inf will do
                inner = numbers(chosen.ravel(), pa.float32())
            ends = _ends(np.full(len(chosen), chosen.shape[1]))
            type_ = COLUMNS[HISTORY + name].type.value_type
            items = pa.ListArray.from_arrays(ends, inner, type=type_)
        columns[name] = _lists(offsets, items, name)
    return {HISTORY + name: array for name, array in columns.items()}


def _ends(lengths: NDArray[Any]) -> pa.Array:
    """Return where lists of these lengths begin and end."""
    return numbers(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


def _lists(offsets: pa.Array, items: pa.Array, name: str) -> pa.Array:
    return pa.ListArray.from_arrays(offsets, items, type=COLUMNS[HISTORY + name].type)
