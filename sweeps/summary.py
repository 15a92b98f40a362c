"""What a sweep prints when it ends: a table of cells, where the results are, what to do next."""

from __future__ import annotations

import shlex
from collections import Counter
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeps.progress import duration

if TYPE_CHECKING:
    from sweeps.engine import Done, Sweep

SHOWN_CELLS = 20
CONFIDENCE = 0.95


def median_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return a 95 % interval of the median, or None where so few values cannot give one.

    The interval between the k-th smallest and the k-th largest value covers the median of any
    continuous distribution with probability `1 - 2 P(Binomial(n, 1/2) < k)`; k is the largest that
    keeps this at 95 %. Six values are the fewest that can.

    Source:
        Conover, "Practical nonparametric statistics", 3rd ed. 1999, section 3.2.
    """
    n, below, k = len(values), 0.0, 0
    while True:
        below += comb(n, k) / 2**n
        if 1 - 2 * below < CONFIDENCE:
            break
        k += 1
    if k == 0:
        return None
    ordered = np.sort(values)
    return float(ordered[k - 1]), float(ordered[n - k])


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def _percent(values: NDArray[np.float64]) -> str:
    known = values[~np.isnan(values)]
    return f"{np.median(known):.1%}" if len(known) else "-"


def cell_rows(sweep: Sweep, table: Any) -> list[list[str]]:
    """Return the printed row of each cell: axis values, n, outcomes, loss, accuracy, dead units."""
    row_of = {run: row for row, run in enumerate(table["run"].to_pylist())}
    names = ("final_loss", "final_accuracy", "final_accuracy_test", "final_dead_fraction")
    columns = {name: np.array(table[name].to_pylist(), dtype=float) for name in names}
    outcomes = table["outcome"].to_pylist()
    printed = []
    for runs, values in zip(sweep.runs, sweep.values, strict=True):
        at = [row_of[run.id] for run in runs if run.id in row_of]
        counted = Counter(outcomes[row] for row in at)
        loss = columns["final_loss"][at]
        loss = np.where(np.isfinite(loss), loss, np.inf)
        interval = median_interval(loss) if len(loss) else None
        printed.append(
            [
                *(_value(values.get(axis)) for axis in sweep.axes),
                str(len(at)),
                ", ".join(f"{count} {outcome}" for outcome, count in counted.items()) or "-",
                _number(float(np.median(loss))) if len(loss) else "-",
                f"{_number(interval[0])} to {_number(interval[1])}" if interval else "-",
                *(_percent(columns[name][at]) for name in names[1:]),
            ]
        )
    return printed


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "null" if value is None else str(value)


def cell_table(sweep: Sweep, printed: list[list[str]], tested: bool) -> Table:
    """Lay the rows out for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for axis in sweep.axes:
        table.add_column(axis)
    for title in ("n", "outcomes", "loss", "95 % interval", "accuracy", "test", "dead"):
        if title != "test" or tested:
            table.add_column(title, justify="left" if title == "outcomes" else "right")
    drop = len(sweep.axes) + 5
    for row in printed:
        table.add_row(*(Text(cell) for k, cell in enumerate(row) if k != drop or tested))
    return table


def show(done: Done, cells: int = SHOWN_CELLS) -> None:
    """Print what became of a sweep."""
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console = Console(width=160)
    if done.planned is not None:
        _show_plan(done, console)
        return
    sweep = done.sweep
    printed = cell_rows(sweep, done.table)
    tested = any(row[len(sweep.axes) + 5] != "-" for row in printed)
    console.print(cell_table(sweep, printed[:cells], tested))
    if len(printed) > cells:
        console.print(f"... and {len(printed) - cells} more cells.\n")
    known = len(sweep.ids) - done.trained
    spent = f"{done.trained} runs trained in {duration(done.seconds)}" if done.trained else (
        "nothing to train"
    )
    console.print(
        f"{spent}; {known} were in the store." if known else f"{spent}.", highlight=False
    )
    where = "" if str(sweep.store) == "store" else f" --store {shlex.quote(str(sweep.store))}"
    say = Text.assemble
    console.print(say(f"Results: {sweep.store}/ as sweep ", (sweep.name, "bold")), soft_wrap=True)
    console.print(
        say("Next:    ", (f"python -m sweeps.store show {sweep.name}{where}", "bold")),
        soft_wrap=True,
    )


def _show_plan(done: Done, console: Console) -> None:
    stacks = done.planned or []
    missing = sum(len(stack.ids) for stack in stacks)
    total = len(done.sweep.ids)
    console.print(
        f"{len(done.sweep.cells)} cells, {total} runs: {total - missing} are in the store, "
        f"{missing} would be trained in {len(stacks)} stacks.",
        highlight=False,
    )
