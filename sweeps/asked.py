"""What was asked for: cells resolved into a sweep, or refused together."""

from __future__ import annotations

import hashlib
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sweeps.cases import FOLDERS, applied
from sweeps.columns import column
from sweeps.errors import BadInput
from sweeps.resolve import Run, resolve

if TYPE_CHECKING:
    from sweeps.compose import Cell, Problem

SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class Sweep:
    """A sweep that has been asked for: its cells and their runs."""

    name: str
    command: str
    store: Path
    axes: dict[str, list[Any]]
    cells: list[Cell]
    values: list[dict[str, Any]]
    runs: list[list[Run]]

    @property
    def ids(self) -> list[str]:
        """Identities of all runs, each once."""
        return list(dict.fromkeys(run.id for runs in self.runs for run in runs))


def command_line() -> str:
    """Return the command as typed, for the manifest."""
    arguments = sys.orig_argv[1:]
    return shlex.join(["python", *arguments]) if arguments else "python"


def ask(cells: Sequence[Cell | Problem], command: str | None = None) -> Sweep:
    """Resolve cells into a sweep.

    Raises:
        BadInput: some cells cannot be trained; all of them are listed.
    """
    from sweeps.compose import Problem, values_of

    problems: dict[str, list[tuple[str, ...]]] = {}
    good, values, runs = [], [], []
    for cell in cells:
        if isinstance(cell, Problem):
            problems.setdefault(cell.message, []).append(cell.overrides)
            continue
        try:
            runs.append(resolve(applied(cell.config)))
        except BadInput as error:
            problems.setdefault(str(error), []).append(cell.overrides)
            continue
        good.append(cell)
        values.append(values_of(cell.overrides))
    if problems:
        raise BadInput(_listed(problems, cells, {text for cell in good for text in cell.overrides}))
    options = good[0].config
    if not options["store"]:
        raise BadInput("`store` must be a directory; got nothing. Give one with store=DIR.")
    if options["save_params"]:
        _check_save_params(Path(options["save_params"]), len(good))
    return _sweep(command or command_line(), Path(options["store"]), good, values, runs)


def _check_save_params(path: Path, cells: int) -> None:
    if cells > 1:
        raise BadInput(
            f"`save_params` must go with a single cell; got {cells} cells. "
            "Leave it out, or give every key one value."
        )
    if path.is_dir() or not path.parent.is_dir():
        why = "which is a directory" if path.is_dir() else "whose directory does not exist"
        raise BadInput(f"`save_params` must be a file that can be written; got {path}, {why}.")


def _sweep(
    command: str,
    store: Path,
    cells: list[Cell],
    values: list[dict[str, Any]],
    runs: list[list[Run]],
) -> Sweep:
    axes = _axes(values)
    name = cells[0].config["name"] or _name(axes, cells[0].config, runs)
    good = not name.startswith(".") and all(c.isalnum() or c in "-_." for c in name)
    if not good:
        raise BadInput(
            f"`name` must be letters, digits, - _ and . only, as it names files; got {name}."
        )
    if name.lower() in FOLDERS:
        raise BadInput(
            f"`name` must be another than {' and '.join(FOLDERS)}, under which reproduce.py writes "
            f"its pages to reports/; got {name}. Choose another name."
        )
    return Sweep(name, command, store, axes, cells, values, runs)


def together(a: Sweep, b: Sweep) -> Sweep:
    """Return one sweep with the cells of both."""
    return _sweep(a.command, a.store, a.cells + b.cells, a.values + b.values, a.runs + b.runs)


def _listed(
    problems: dict[str, list[tuple[str, ...]]], cells: Sequence[Cell | Problem], good: set[str]
) -> str:
    """Say each thing that is wrong once, with the override that made it.

    Args:
        problems: sentence to the overrides of the cells it was said of.
        cells: all cells.
        good: the overrides of cells that can be trained.
    """
    everywhere = set.intersection(*(set(cell.overrides) for cell in cells))
    lines = []
    for message, where in list(problems.items())[:SHOWN_PROBLEMS]:
        shared = [t for t in where[0] if all(t in other for other in where[1:])]
        varied = [t for t in shared if t not in everywhere] or shared
        # A cell's first fault is found, but a value no good cell has is at fault wherever it is.
        key = message.partition("`")[2].partition("`")[0]
        own = [t for t in varied if t.startswith(f"{key}=") and t not in good]
        count = sum(own[0] in cell.overrides for cell in cells) if own else len(where)
        if len(cells) > 1:
            message += f" ({count} of {len(cells)} cells: {' '.join(own or varied) or 'all'})"
        lines.append(message)
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"... and {len(problems) - SHOWN_PROBLEMS} more.")
    return "\n".join(lines)


def _axes(values: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the keys that take more than one value over the cells, and those values."""
    axes: dict[str, list[Any]] = {}
    for key in dict.fromkeys(key for cell in values for key in cell):
        taken: dict[str, Any] = {}
        for cell in values:
            value = cell.get(key)
            taken.setdefault(repr(value), value)
        if len(taken) > 1:
            axes[key] = list(taken.values())
    return axes


def _name(axes: dict[str, list[Any]], options: dict[str, Any], runs: list[list[Run]]) -> str:
    """Name a sweep by its axes and its runs: the same runs, the same name."""
    words = [axis.removeprefix("data.") for axis in list(axes)[:4]] or [options["activation"]]
    return "-".join([*words, _digest(runs)])


def _digest(runs: list[list[Run]]) -> str:
    ids = sorted({run.id for cell in runs for run in cell})
    return hashlib.sha256("".join(ids).encode()).hexdigest()[:6]


def renamed(sweep: Sweep) -> Sweep:
    """Return the sweep under a name that tells its runs from those of its namesake."""
    return replace(sweep, name=f"{sweep.name}-{_digest(sweep.runs)}")


def manifest(sweep: Sweep) -> tuple[dict[str, Any], pa.Table]:
    """Return what the store keeps of a sweep: what it is about, and a row for each of its runs."""
    members = [
        (run.id, cell, run.run.replicate) for cell, runs in enumerate(sweep.runs) for run in runs
    ]
    ids, cells, replicates = zip(*members, strict=True)
    about = {
        "command": sweep.command,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "axes": sweep.axes,
        "cells": [
            {"overrides": cell.overrides, "values": {a: values.get(a) for a in sweep.axes}}
            for cell, values in zip(sweep.cells, sweep.values, strict=True)
        ],
    }
    table = pa.table(
        {
            "run": column(ids, pa.string()),
            "cell": column(cells, pa.int32()),
            "replicate": column(replicates, pa.int64()),
        }
    )
    return about, table
