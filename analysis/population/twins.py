"""Runs of the population beside themselves, trained ten times as long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.symptoms import NEEDED
from analysis.symptoms.measures import target_spread
from analysis.symptoms.traces import Array, Flags, Traces
from sweeps import records

SHORT, LONG = "population", "population_long"
LONGER = 10
# Further probes, which no rule reads: they tell of a dead layer by other numbers.
_OF_TWIN = ("history_act_mean", "history_act_spread")


@dataclass(frozen=True)
class Twins:
    """Runs on one data set: as long as asked for, and ten times as long.

    Attributes:
        data: name of the data set.
        choosing: whether thresholds may be chosen on these runs; else errors are measured on them.
        short, long: `R` runs each, the same in everything but epochs.
    """

    data: str
    choosing: bool
    short: Traces
    long: Traces

    @cached_property
    def prior(self) -> Array:
        """Loss of guessing, `(R,)`."""
        return self.long.column("prior_loss")

    @cached_property
    def loss(self) -> Array:
        """Loss over the loss of guessing, in the twin from where the run ended on, `(R, K)`."""
        return self.after("loss") / self.prior[:, None]

    @cached_property
    def spread(self) -> Array:
        """Spread of the output over that of the targets, from where the run ended on, `(R, K)`."""
        return self.after("output_spread") / target_spread(self.long)[:, None]

    @cached_property
    def final(self) -> Array:
        """Loss the twin ends with over the loss of guessing: median of its last fifth, `(R,)`."""
        late = self.long.epochs >= 0.8 * self.long.column("epochs")[:, None]
        losses = np.where(late, self.long.curve("loss"), np.nan)
        return np.where(self.finished, _median(losses) / self.prior, np.inf)

    @cached_property
    def finished(self) -> Flags:
        """Whether the twin came to its end without diverging, `(R,)`."""
        return ~self.long.diverged

    def after(self, probe: str) -> Array:
        """Return the twin's measurements from where the run ended on, NaN before, `(R, K)`."""
        behind = self.long.epochs >= self.short.column("epochs")[:, None]
        return np.where(behind, self.long.curve(probe), np.nan)


def twins(store: str | Path) -> Iterator[Twins]:
    """Yield the population, a data set at a time.

    Raises:
        BadInput: one of the two sweeps is not in the store.
        ValueError: they do not belong together, or are not complete.
    """
    members = _members(store, SHORT).merge(
        _members(store, LONG), on=["cell", "replicate"], suffixes=("", "_long"), validate="1:1"
    )
    names = [SHORT, LONG]
    short, long = (
        _read(store, members[column], _columns(name))
        for column, name in zip(("run", "run_long"), names, strict=True)
    )
    if len(short) < len(members) or len(long) < len(members):
        raise ValueError(
            f"`{SHORT}` and `{LONG}` must be complete; {len(short)} and {len(long)} of "
            f"{len(members)} runs are stored. Give the commands that train them again."
        )
    for data, rows in short.groupby("data").indices.items():
        pair = [Traces(frame.iloc[rows].reset_index(drop=True)) for frame in (short, long)]
        yield _checked(Twins(str(data), bool((pair[0].frame["seed"] == 0).all()), *pair))


def _members(store: str | Path, name: str) -> pd.DataFrame:
    about, table = records.manifest(store, name)
    members: pd.DataFrame = table.select(["run", "cell", "replicate"]).to_pandas()
    # Cells are known by their values, which are the same in both sweeps.
    cells = [str(sorted(cell["values"].items())) for cell in about["cells"]]
    return members.assign(cell=[cells[cell] for cell in members["cell"]])


def _columns(name: str) -> tuple[str, ...]:
    return (*NEEDED, "data", "seed", *(_OF_TWIN if name == LONG else ()))


def _read(store: str | Path, ids: pd.Series, columns: tuple[str, ...]) -> pd.DataFrame:
    table = records.table(store, ids, columns)
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _checked(pair: Twins) -> Twins:
    """Make sure that the twin went through where its run ended."""
    ended = pair.short.now("loss")
    met = np.take_along_axis(pair.loss, np.argmax(~np.isnan(pair.loss), axis=1)[:, None], axis=1)
    both = pair.finished & ~pair.short.diverged
    if not np.allclose(ended[both], (met[:, 0] * pair.prior)[both], rtol=1e-9, atol=0):
        raise ValueError(
            f"`{LONG}` must go on where `{SHORT}` ends; on {pair.data} their losses differ there. "
            "Train both with the same settings, and record a multiple of the epochs."
        )
    return pair


def _median(values: Array) -> Array:
    """Median along the last axis of what is there, NaN where nothing is."""
    ordered = np.sort(values, axis=-1)  # NaN comes last
    n = np.count_nonzero(~np.isnan(values), axis=-1)[..., None]
    middle = [np.maximum((n - k) // 2, 0) for k in (1, 0)]
    low, high = (np.take_along_axis(ordered, at, axis=-1)[..., 0] for at in middle)
    return np.where(n[..., 0] % 2 == 1, low, (low + high) / 2)
