"""What a report is about: the runs of a sweep, of several, or of a whole store, as one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.symptoms import SYMPTOMS
from analysis.symptoms.traces import Traces
from sweeps import records

DIGEST = 6  # of the digits of a digest; enough to tell two data sets apart
# Axes whose numbers are only names: no map runs along them.
NAMES_ONLY = ("seed", "data.seed", "replicate")


@dataclass(frozen=True)
class Study:
    """Runs and what was varied among them.

    Attributes:
        name: of its files and its heading.
        frame: a row a run, unique index from 0: the store's columns, one for each axis, `cell`
            (counted from 0), `unit` (which random numbers: runs with the same one share their
            streams), a truth value for each symptom, and `symptom`, the one that tells most.
        axes: name to values, in the order in which they were given.
        overrides: of each cell, what the command line must say to train it.
        sweeps: what the sweeps are about: name, command, created.
        traces: what was measured while training, of the same runs.
        store: directory.
        missing: how many runs of the sweeps are not stored yet.
        condition: that the runs were chosen by, as typed; empty for all.
    """

    name: str
    frame: pd.DataFrame
    axes: Mapping[str, list[Any]]
    overrides: list[list[str]]
    sweeps: list[dict[str, Any]]
    traces: Traces
    store: Path
    missing: int = 0
    condition: str = ""

    @property
    def numeric(self) -> list[str]:
        """Axes along which a map can run."""
        return [axis for axis, values in self.axes.items() if is_numeric(axis, values)]

    @property
    def categorical(self) -> list[str]:
        """The other axes."""
        return [axis for axis in self.axes if axis not in self.numeric]

    @cached_property
    def codes(self) -> dict[str, np.ndarray]:
        """The number of each run's level, by axis; what groups runs, whatever levels look like."""
        return {axis: _codes(self.frame[axis], levels) for axis, levels in self.axes.items()}

    @cached_property
    def digits(self) -> dict[str, int]:
        """How many digits tell the levels of an axis apart, four at least, by axis."""
        return {axis: _digits(levels) for axis, levels in self.axes.items()}

    def label(self, axis: str, level: object, digits: int = 6) -> str:
        """Write a level with so many digits, or as many as tell it from the others."""
        if axis == "data_digest":
            return str(level)[:DIGEST]
        return text(level, max(digits, self.digits.get(axis, 0)))

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The value of each axis in each cell, by cell."""
        return self.frame.groupby("cell")[list(self.axes)].first()

    def at(self, cell: int) -> dict[str, Any]:
        """Return the value of each axis in a cell."""
        values: dict[str, Any] = dict(self.cells.loc[cell])
        return values

    def run(self, row: int) -> dict[str, Any]:
        """Return a row of the frame."""
        values: dict[str, Any] = dict(self.frame.loc[row])
        return values

    @cached_property
    def loss(self) -> pd.Series:
        """The final loss of each run; infinite where it diverged."""
        loss = self.frame["final_loss"].where(self.frame["outcome"] != "diverged", np.inf)
        return loss.fillna(np.inf)

    @cached_property
    def relative_loss(self) -> pd.Series:
        """The final loss, where runs differ in what it is measured in as a part of guessing's."""
        one = (self.scale == self.scale.iloc[0]).all()
        return self.loss if one else self.loss / self.frame["prior_loss"]

    @cached_property
    def scale(self) -> pd.Series:
        """What the loss of each run is measured in, as a number; of two, none ends lower."""
        ways = self.frame[["loss", "reduction", "data"]]
        prior = self.frame["prior_loss"].round(9)
        return ways.assign(prior=prior).groupby([*ways, "prior"], dropna=False).ngroup()

    @cached_property
    def prior(self) -> float | None:
        """The one loss of guessing, None where data sets differ in it."""
        priors = self.frame["prior_loss"].round(12).unique()
        return float(priors[0]) if len(priors) == 1 else None

    @property
    def occurring(self) -> list[str]:
        """Symptoms that are failures and occur, most telling first."""
        found = set(self.frame["symptom"])
        return [name for name in SYMPTOMS if name in found and SYMPTOMS[name].isfailure]

    @cached_property
    def failing(self) -> np.ndarray:
        """Say of each run whether it shows a failure."""
        return self.frame["symptom"].isin(self.occurring).to_numpy()

    def where(
        self, condition: str, keep: Callable[[Mapping[str, Any]], bool], names: Sequence[str]
    ) -> Study:
        """Return the runs for which a condition over some columns holds.

        Args:
            condition: as typed, for the error.
            keep: says whether it holds for values of the columns it names.
            names: of these columns.

        Raises:
            BadInput: there are none.
        """
        columns = self.frame[list(names)].astype(object)
        columns = columns.where(columns.notna(), None)
        known: dict[tuple[Any, ...], bool] = {}
        held = []
        for values in columns.itertuples(index=False, name=None):
            if values not in known:
                known[values] = keep(dict(zip(names, values, strict=True)))
            held.append(known[values])
        if not any(held):
            raise records.BadInput(
                f"`--where` must keep at least one run; got {condition}, which none of "
                f"{len(held)} fulfills."
            )
        return self._only(np.array(held, bool))

    def _only(self, mask: np.ndarray) -> Study:
        frame = self.frame[mask].reset_index(drop=True)
        old, frame["cell"] = np.unique(frame["cell"], return_inverse=True)
        frame["unit"] = np.unique(frame["unit"], return_inverse=True)[1]
        axes = {}
        for axis, values in self.axes.items():
            present = set(frame[axis])
            if len(kept := [value for value in values if value in present]) > 1:
                axes[axis] = kept
        return replace(
            self,
            frame=frame,
            axes=axes,
            overrides=[self.overrides[cell] for cell in old],
            traces=Traces(self.traces.frame[mask].reset_index(drop=True)),
        )


def is_numeric(axis: str, values: Sequence[Any]) -> bool:
    """Say whether the values of an axis are quantities."""
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return numbers and axis.rpartition(".")[2] not in NAMES_ONLY and axis not in NAMES_ONLY


def _codes(column: pd.Series, levels: Sequence[Any]) -> np.ndarray:
    numbers = {level: k for k, level in enumerate(levels)}
    nothing = next((k for k, level in enumerate(levels) if level is None or level != level), None)
    codes = column.map(numbers)
    if nothing is not None:
        codes = codes.fillna(nothing)
    if codes.isna().any():
        raise ValueError(f"`{column.name}` must be one of its axis' levels in every run.")
    return codes.to_numpy(int)


def _digits(levels: Sequence[Any]) -> int:
    kept = 4
    while kept < 17 and len({text(level, kept) for level in levels}) < len(levels):
        kept += 1
    return kept


def text(value: object, digits: int = 6) -> str:
    """Write a value of an axis as one would type it, numbers rounded to so many digits."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(text(each, digits) for each in value)}]"
    if value is None or value != value:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
