"""What a sweep prints when it ends: a table of cells, where the results are, what to do next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeps import forecast, workers
from sweeps.engine import read
from sweeps.progress import duration

if TYPE_CHECKING:
    from sweeps.asked import Sweep
    from sweeps.engine import Done

SHOWN_CELLS, SHOWN_DATA = 20, 5
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
    if not len(known):
        return "-"
    survivors = "" if len(known) == len(values) else f" ({len(known)} of {len(values)})"
    return f"{np.median(known):.1%}{survivors}"


def cell_rows(
    axes: Sequence[str],
    cells: Sequence[Sequence[str]],
    values: Sequence[Mapping[str, Any]],
    table: Any,
) -> list[list[str]]:
    """Return the printed row of each cell: axis values, n, outcomes, loss, accuracy, dead units.

    Args:
        axes: keys that vary.
        cells: identities of each cell's runs; those not in the table are not counted.
        values: each cell's value of every axis.
        table: stored rows, `sweeps.scanning.scan`.
    """
    row_of = {run: row for row, run in enumerate(table["run"].to_pylist())}
    names = ("final_loss", "final_accuracy", "final_accuracy_test", "final_dead_fraction")
    columns = {name: np.array(table[name].to_pylist(), dtype=float) for name in names}
    outcomes = table["outcome"].to_pylist()
    printed = []
    for ids, at_axes in zip(cells, values, strict=True):
        at = [row_of[run] for run in ids if run in row_of]
        counted = Counter(outcomes[row] for row in at)
        loss = columns["final_loss"][at]
        loss = np.where(np.isfinite(loss), loss, np.inf)
        printed.append(
            [
                *(_value(at_axes.get(axis)) for axis in axes),
                str(len(at)),
                _outcomes(counted),
                _with_interval(loss) if len(loss) else "-",
                *(_percent(columns[name][at]) for name in names[1:]),
            ]
        )
    return printed


def _outcomes(counted: Counter[str]) -> str:
    if len(counted) <= 1:
        return "".join(counted) or "-"
    return ", ".join(f"{count} {outcome}" for outcome, count in counted.most_common())


def _with_interval(loss: NDArray[np.float64]) -> str:
    interval = median_interval(loss)
    median = _number(float(np.median(loss)))
    # To as many digits as the median: with fewer, it may lie outside of its own interval.
    return f"{median} [{', '.join(map(_number, interval))}]" if interval else median


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "null" if value is None else str(value)


TITLES = ("n", "outcome", "loss [95 %]", "accuracy", "on test", "dead")
REGRESSION = (
    "A numeric target is taken as a quantity to predict, which has no accuracy; if the numbers are "
    "classes: data.task=classification"
)
LEGEND = (
    "loss: median over n runs and its 95 % interval, diverged counted as inf; accuracy and dead "
    "units: median"
)


def cell_table(axes: Sequence[str], printed: Sequence[Sequence[str]]) -> Table:
    """Lay rows of `cell_rows` out for a terminal, without columns that are empty throughout."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    titles = [*axes, *TITLES]
    filled = [k for k in range(len(titles)) if any(row[k] != "-" for row in printed)]
    for k in filled:
        left = k < len(axes) or "loss" in titles[k] or titles[k] == "outcome"
        table.add_column(
            Text(titles[k]), justify="left" if left else "right", no_wrap=k < len(axes)
        )
    for row in printed:
        table.add_row(*(Text(row[k]) for k in filled))
    return table


def show(done: Done) -> None:
    """Print what became of a sweep."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    if done.planned is not None:
        _show_plan(done, console)
        return
    sweep = done.sweep
    axes = list(sweep.axes)
    cells = [[run.id for run in runs] for runs in sweep.runs[:SHOWN_CELLS]]
    printed = cell_rows(axes, cells, sweep.values[:SHOWN_CELLS], read(sweep))
    if not axes:
        console.print(Text(_one_line(sweep)), soft_wrap=True)
    for text in _data_lines(sweep)[:SHOWN_DATA]:
        console.print(Text(text), soft_wrap=True)
    console.print(cell_table(axes, printed))
    if len(sweep.cells) > SHOWN_CELLS:
        console.print(f"... and {len(sweep.cells) - SHOWN_CELLS} more cells.", highlight=False)
    console.print(Text(LEGEND + "\n", style="dim"), soft_wrap=True)
    if not all(runs[0].setting.prepared.classification for runs in sweep.runs):
        console.print(Text(REGRESSION + "\n", style="dim"), soft_wrap=True)
    known = len(sweep.ids) - done.trained
    spent = (
        f"{_count(done.trained, 'run')} trained in {duration(done.seconds)}"
        if done.trained
        else ("Nothing to train")
    )
    console.print(f"{spent}; {known} were in the store." if known else f"{spent}.", highlight=False)
    console.print(
        Text.assemble(f"Results: {sweep.store}/, sweep ", (sweep.name, "bold")), soft_wrap=True
    )
    if not wants_report(done):
        console.print(Text.assemble("Next:    ", (report_command(sweep), "bold")), soft_wrap=True)


def report_command(sweep: Sweep) -> str:
    """Return the command that makes the report of a sweep."""
    where = "" if str(sweep.store) == "store" else f" --store {shlex.quote(str(sweep.store))}"
    return f"python report.py {sweep.name}{where}"


def wants_report(done: Done) -> bool:
    """Say whether a report belongs to what was asked for: a sweep of several cells does."""
    return bool(
        done.planned is None and len(done.sweep.cells) > 1 and done.sweep.cells[0].config["report"]
    )


def _data_lines(sweep: Sweep) -> list[str]:
    """Describe each data set of a sweep: samples, inputs, classes and how many of each."""
    described = {}
    for runs in sweep.runs:
        prepared = runs[0].setting.prepared
        n_in, m = prepared.X.shape
        text = f"{prepared.name}: {_count(m, 'sample')}, {_count(n_in, 'input')}"
        if prepared.classification:
            one_row = len(prepared.Y) == 1
            classes = prepared.Y[0] > prepared.midpoint if one_row else prepared.Y.argmax(axis=0)
            counts = np.bincount(classes.astype(int), minlength=len(prepared.classes))
            named = zip(prepared.classes, counts, strict=True)
            text += ", classes " + ", ".join(f"{name} ({count})" for name, count in named)
        described[prepared.digest] = text
    return list(described.values())


def _one_line(sweep: Sweep) -> str:
    """Describe a single cell: the network, what it is trained on, and how."""
    run = sweep.runs[0][0]
    spec, columns = run.spec, run.setting.columns
    batch = f"batches of {spec.batch_size}" if spec.batch_size else "full batch"
    defects = f", defects {', '.join(spec.defects)}" if spec.defects else ""
    return (
        f"{columns['data']}, {columns['samples']} samples: "
        f"{'-'.join(map(str, spec.sizes))} {spec.activation}, {spec.output} output, "
        f"{spec.loss.replace('_', ' ')}; init {columns['init']} x {run.run.init_scale:g}, "
        f"{spec.optimizer} at {run.run.lr:g}, {batch}, {spec.epochs} epochs{defects}"
    )


def _show_plan(done: Done, console: Console) -> None:
    sweep, stacks = done.sweep, done.planned or []
    missing, total = sum(len(stack.ids) for stack in stacks), len(sweep.ids)
    for axis, values in sweep.axes.items():
        console.print(Text(f"  {axis}: {_values(values)}"), soft_wrap=True)
    counted = f"{_count(len(sweep.cells), 'cell')}, {_count(total, 'run')}"
    if not missing:
        console.print(f"{counted}, all in the store. Nothing would be trained.", highlight=False)
        return
    kept = f"{total - missing} are in the store, {missing} would be trained"
    console.print(f"{counted}: {kept}, in {_count(len(stacks), 'stack')}.", highlight=False)
    jobs = sweep.cells[0].config["jobs"] or workers.cores()
    prepared = {run[0].setting.prepared.digest: run[0].setting.prepared for run in sweep.runs}
    seconds = forecast.seconds(stacks, prepared, jobs)
    console.print(
        f"That takes about {duration(seconds)} on {jobs} cores, by a trial of a moment on this "
        "machine. Nothing has been trained.",
        highlight=False,
    )


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def _values(values: Sequence[Any]) -> str:
    if len(values) <= 6:
        return ", ".join(map(_value, values))
    return f"{len(values)} values from {_value(values[0])} to {_value(values[-1])}"
