"""What a report is about: the runs of a sweep, of several, or of a whole store, as one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.histories import READ
from analysis.symptoms import NEEDED, SYMPTOMS, dominant, judge
from analysis.symptoms.traces import Traces
from sweeps import records

# Axes whose numbers are only names: no map runs along them.
NAMES_ONLY = ("seed", "data.seed", "replicate")
# What a run is, without its random numbers; these are the axes of a store without a sweep.
NOT_SETTINGS = (
    *("run", "outcome", "final_loss", "final_accuracy", "final_loss_test", "final_accuracy_test"),
    *("final_dead_fraction", "prior_loss", "steps", "seconds", "replicate", "samples_test"),
    *("classes", "n_in", "n_out", "engine", "provenance"),
)


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
    """

    name: str
    frame: pd.DataFrame
    axes: Mapping[str, list[Any]]
    overrides: list[list[str]]
    sweeps: list[dict[str, Any]]
    traces: Traces
    store: Path
    missing: int = 0

    @property
    def numeric(self) -> list[str]:
        """Axes along which a map can run."""
        return [axis for axis, values in self.axes.items() if is_numeric(axis, values)]

    @property
    def categorical(self) -> list[str]:
        """The other axes."""
        return [axis for axis in self.axes if axis not in self.numeric]

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


def text(value: object) -> str:
    """Write a value of an axis as one would type it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(text, value))}]"
    if value is None or value != value:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def load(store: str | Path, names: Sequence[str] = (), title: str | None = None) -> Study:
    """Read the runs of sweeps; of all runs of the store where none is named.

    Args:
        store: directory.
        names: of sweeps. Of several, `sweep` becomes an axis.
        title: name of the study; by default made of the names.

    Raises:
        BadInput: there is no such sweep, or none of its runs is stored.
    """
    names = list(dict.fromkeys(names))
    about = [_Sweep.read(store, name) for name in names or records.sweeps(store)]
    if not about:
        raise records.BadInput(
            f"A report must have runs; {store} has none yet. "
            "Train some first: python train.py -m activation=relu,tanh"
        )
    members = pd.concat([each.members for each in about], ignore_index=True)
    if not names:
        # A run of several sweeps is one run; any of them tells how to train it.
        members = members.drop_duplicates("run", ignore_index=True)
    columns = tuple(dict.fromkeys((*records.SCALAR_COLUMNS, *NEEDED, *READ)))
    table = records.table(store, members["run"].drop_duplicates(), columns)
    rows = pd.Series(range(len(table)), index=table["run"].to_pylist())
    stored = members["run"].isin(rows.index)
    if not stored.any():
        raise records.BadInput(
            f"A report must have runs; of {', '.join(names) or 'this store'} none is stored yet. "
            "Give the command that trains it again."
        )
    found = members[stored].reset_index(drop=True)
    whole = table.take(rows[found["run"]].to_numpy()).to_pandas()
    frame = whole[list(records.SCALAR_COLUMNS)].copy()
    for name in ("scale_factor", "lr_factor", "defects"):
        frame[name] = _column([_hashable(value) for value in frame[name]])
    axes, frame = _axes_of(frame, found, about) if names else _settings(frame)
    overrides, frame["cell"] = _cells(frame, found, about, axes if not names else None)
    frame["unit"] = frame.groupby(["seed", "replicate"]).ngroup()
    judged = judge(whole)
    frame = frame.join(judged).assign(symptom=dominant(judged).fillna("unknown").astype(object))
    return Study(
        title or "+".join(names) or "store",
        frame,
        axes,
        overrides,
        [each.summary for each in about] if names else [],
        Traces(whole),
        Path(store),
        int((~stored).sum()),
    )


@dataclass(frozen=True)
class _Sweep:
    """A manifest, read."""

    name: str
    axes: dict[str, list[Any]]
    settings: list[dict[str, Any]]
    overrides: list[list[str]]
    summary: dict[str, Any]
    members: pd.DataFrame = field(repr=False)

    @classmethod
    def read(cls, store: str | Path, name: str) -> _Sweep:
        about, members = records.manifest(store, name)
        cells = about["cells"]
        return cls(
            name,
            about["axes"],
            [cell["values"] for cell in cells],
            [cell["overrides"] for cell in cells],
            {"name": name, "command": about["command"], "created": about["created"]},
            members.to_pandas().assign(sweep=name),
        )


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | np.ndarray) else value


def _axes_of(
    frame: pd.DataFrame, found: pd.DataFrame, about: list[_Sweep]
) -> tuple[dict[str, list[Any]], pd.DataFrame]:
    """Add a column for each axis of sweeps, which were typed, so `width` is a number."""
    named = {sweep.name: sweep for sweep in about}
    axes = list(dict.fromkeys(axis for sweep in about for axis in sweep.axes))
    columns: dict[str, list[Any]] = {axis: [] for axis in axes}
    recorded: dict[str, list[Any]] = {}
    for row, (name, cell) in enumerate(zip(found["sweep"], found["cell"], strict=True)):
        sweep = named[name]
        for axis in axes:
            if axis in sweep.axes:
                value = sweep.settings[cell].get(axis)
            elif axis in frame:  # what one sweep varies stands in the others' records
                if axis not in recorded:
                    recorded[axis] = [_as_typed(axis, each) for each in frame[axis].tolist()]
                value = recorded[axis][row]
            else:
                value = None
            columns[axis].append(_hashable(value))
    frame = frame.assign(**{axis: _column(values) for axis, values in columns.items()})
    if len(about) > 1:
        frame["sweep"] = found["sweep"]
        axes = ["sweep", *axes]
    taken = {axis: list(dict.fromkeys(frame[axis])) for axis in axes}
    return {
        axis: _ordered(axis, values) for axis, values in taken.items() if len(values) > 1
    }, frame


def _settings(frame: pd.DataFrame) -> tuple[dict[str, list[Any]], pd.DataFrame]:
    """Take every setting in which the runs of a store differ for an axis."""
    for name in ("scale_factor", "lr_factor"):  # a factor of 1 a layer is no factor, however deep
        frame[name] = [None if set(value) == {1.0} else value for value in frame[name]]
    axes = {}
    for name in list(frame.columns):
        if name in NOT_SETTINGS or (name == "data_digest" and not _several_of_a_name(frame)):
            continue
        typed = [_as_typed(name, value) for value in frame[name].tolist()]
        if len(values := list(dict.fromkeys(typed))) > 1:
            axes[name] = _ordered(name, values)
            frame[name] = _column(typed)
    return axes, frame


def _as_typed(axis: str, value: Any) -> Any:
    """Return a value of a record as the command line has it."""
    if value is None or value != value:
        return "full" if axis == "batch_size" else None
    if axis == "batch_size":
        return int(value)
    if axis == "width":
        layers = tuple(int(units) for units in value.split("-") if units)
        return layers[0] if len(layers) == 1 else layers or None
    return value


def _several_of_a_name(frame: pd.DataFrame) -> bool:
    """Say whether data sets of one name differ, in their noise or their seed."""
    return len(frame[["data", "data_digest"]].drop_duplicates()) > len(set(frame["data"]))


def _column(values: list[Any]) -> pd.Series:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return pd.Series(values, dtype=None if numbers else object)


def _ordered(axis: str, values: list[Any]) -> list[Any]:
    return sorted(values) if is_numeric(axis, values) else values


def _cells(
    frame: pd.DataFrame,
    found: pd.DataFrame,
    about: list[_Sweep],
    axes: Mapping[str, list[Any]] | None,
) -> tuple[list[list[str]], np.ndarray]:
    """Number the cells, and say what trains each: by sweep, or by settings where axes are given.

    Data sets of one name differ in ways no column tells, and so in what trains them.
    """
    named = {sweep.name: sweep for sweep in about}
    origin = list(zip(found["sweep"], found["cell"], strict=True))
    settings = None if axes is None else frame[list(dict.fromkeys([*axes, "data_digest"]))]
    by = origin if settings is None else settings.itertuples(index=False, name=None)
    numbers: dict[Any, int] = {}
    overrides: list[list[str]] = []
    cells = []
    for key, (name, cell) in zip(by, origin, strict=True):
        if key not in numbers:
            numbers[key] = len(numbers)
            overrides.append(named[name].overrides[cell])
        cells.append(numbers[key])
    return overrides, np.array(cells)
