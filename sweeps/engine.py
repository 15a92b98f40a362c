"""From cells to stored runs: resolve, subtract what is known, train the rest, remember it.

Our launcher calls `run_cells` with many cells, train.py under any other launcher with one.
"""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bpcore import train_stack
from sweeps import datasets, plan, provenance, rows
from sweeps.columns import column
from sweeps.errors import BadInput
from sweeps.plan import Stack, Task
from sweeps.progress import progress
from sweeps.resolve import Run, core_data, resolve
from sweeps.scanning import scan
from sweeps.store import Store, Writer

if TYPE_CHECKING:
    from sweeps.compose import Cell, Problem

SHOWN_PROBLEMS = 20
# Less work than this is done sooner than workers have started (in units of `plan.work`).
ALONE_WORK = 2e9


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


@dataclass
class Done:
    """What this process has made of the sweep it was asked for, for whoever prints it.

    Attributes:
        sweep: all cells so far. A sweeper that optimizes asks for a few at a time.
        trained: runs trained, the others were in the store.
        seconds: spent on training them, by the clock.
        engine_seconds: processor time of the core alone.
        planned: the stacks that would be trained, where only a plan was asked for.
        manifest: the name under which the sweep stands in the store.
    """

    sweep: Sweep
    trained: int = 0
    seconds: float = 0.0
    engine_seconds: float = 0.0
    planned: list[Stack] | None = None
    manifest: str | None = None


# Hydra hands nothing back to the entry point, so the process's one sweep is kept here.
DONE: list[Done] = []


def command_line() -> str:
    """Return the command as typed, for the manifest."""
    arguments = sys.orig_argv[1:]
    return shlex.join(["python", *arguments]) if arguments else "python"


def run_cells(cells: Sequence[Cell | Problem]) -> list[float]:
    """Train what is not in the store, and return the median final loss of each cell.

    Args:
        cells: composed cells; problems among them are reported together with invalid ones.

    Returns:
        A number a cell, in their order; diverged runs count as inf. NaN never occurs.

    Raises:
        BadInput: a cell cannot be trained; nothing has been.
        StoreFailed: the store could not be written on the way.
    """
    asked = ask(cells)
    if DONE:
        DONE[0].sweep = together(DONE[0].sweep, asked)
    else:
        DONE.append(Done(asked))
    done, options = DONE[0], asked.cells[0].config
    runs = [run for runs in asked.runs for run in runs]
    jobs = options["jobs"] or os.cpu_count() or 1
    if options["plan"]:
        known = Store(asked.store).known() if asked.store.is_dir() else set()
        done.planned = (done.planned or []) + plan.stacks(runs, known, jobs)
        return [float("inf")] * len(cells)
    store = Store(asked.store)
    _write_manifest(store, done)
    wanted = plan.stacks(runs, store.known(), jobs)
    began = time.monotonic()
    try:
        _train(store, wanted, jobs, done)
    finally:
        done.seconds += time.monotonic() - began
    if options["save_params"]:
        _save_params(Path(options["save_params"]), asked)
    return _losses(asked)


# --- what was asked for


def ask(cells: Sequence[Cell | Problem]) -> Sweep:
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
            runs.append(resolve(cell.config))
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
    return _sweep(Path(options["store"]), good, values, runs)


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
    store: Path, cells: list[Cell], values: list[dict[str, Any]], runs: list[list[Run]]
) -> Sweep:
    axes = _axes(values)
    name = cells[0].config["name"] or _name(axes, cells[0].config, runs)
    good = not name.startswith(".") and all(c.isalnum() or c in "-_." for c in name)
    if not good:
        raise BadInput(
            f"`name` must be letters, digits, - _ and . only, as it names files; got {name}."
        )
    return Sweep(name, command_line(), store, axes, cells, values, runs)


def together(a: Sweep, b: Sweep) -> Sweep:
    """Return one sweep with the cells of both."""
    return _sweep(a.store, a.cells + b.cells, a.values + b.values, a.runs + b.runs)


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
    ids = sorted({run.id for cell in runs for run in cell})
    digest = hashlib.sha256("".join(ids).encode()).hexdigest()[:6]
    words = [axis.rpartition(".")[2] for axis in list(axes)[:4]] or [options["activation"]]
    return "-".join([*words, digest])


def _write_manifest(store: Store, done: Done) -> None:
    sweep = done.sweep
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
    isnew = not store.has_manifest(sweep.name)
    store.write_manifest(sweep.name, about, table)
    if done.manifest and done.manifest != sweep.name:
        store.remove_manifest(done.manifest)  # the same sweep with fewer cells
    done.manifest = sweep.name if isnew or done.manifest == sweep.name else None


# --- training


def _train(store: Store, wanted: list[Stack], jobs: int, done: Done) -> None:
    if not wanted:
        return
    prepared = {r.setting.prepared.digest: r.setting.prepared for rs in done.sweep.runs for r in rs}
    for digest in {stack.digest for stack in wanted}:
        try:
            datasets.save(prepared[digest], store.root)
        except OSError as error:
            raise store.failure(error) from error
    total = sum(stack.work for stack in wanted)
    alone = jobs == 1 or total < ALONE_WORK
    tasks = plan.tasks(wanted, 1 if alone else jobs)
    count = sum(len(stack.ids) for stack in wanted)
    with progress(count, total) as bar, Writer(store) as writer:
        results = _alone(tasks, store.root) if alone else _in_workers(tasks, jobs, store.root)
        for trained in results:
            store.write_provenance(trained.where)
            writer.put(trained.rows)
            done.trained += len(trained.rows)
            done.engine_seconds += trained.seconds
            bar.advance(len(trained.rows), trained.work, trained.diverged)


@dataclass(frozen=True)
class Trained:
    """What a worker hands back."""

    rows: pa.Table
    where: dict[str, Any]
    work: float
    diverged: int
    seconds: float


def _alone(tasks: list[Task], root: Path) -> Iterator[Trained]:
    code = provenance.code()
    for task in tasks:
        for stack in task.stacks:
            yield _train_task(Task((stack,)), root, code)


def _in_workers(tasks: list[Task], jobs: int, root: Path) -> Iterator[Trained]:
    from joblib import Parallel, delayed, parallel_config

    code, parent = provenance.code(), os.getpid()
    with parallel_config("loky", inner_max_num_threads=1):
        parallel = Parallel(
            n_jobs=min(jobs, len(tasks)),
            return_as="generator_unordered",
            pre_dispatch="2*n_jobs",
            batch_size=1,
        )
        yield from parallel(delayed(_work)(task, root, code, parent) for task in tasks)


def _work(task: Task, root: Path, code: dict[str, Any], parent: int) -> Trained:
    """Train a task in a worker process."""
    _leave_with(parent)
    return _train_task(task, root, code)


@lru_cache(maxsize=1)
def _leave_with(parent: int) -> None:
    """End this worker when the process that started it is gone; killed, it cannot say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


def _train_task(task: Task, root: Path, code: dict[str, Any]) -> Trained:
    from threadpoolctl import threadpool_limits

    tables, seconds, diverged = [], 0.0, 0
    with threadpool_limits(1):
        where = provenance.collect() | code
        identity = provenance.identity(where)
        for stack in task.stacks:
            data = core_data(datasets.load(root, stack.digest))
            began = time.process_time()
            result = train_stack(stack.spec, stack.runs, data)
            seconds += time.process_time() - began
            diverged += int(result.diverged.sum())
            tables.append(rows.table(stack, result, identity))
    return Trained(pa.concat_tables(tables), where, task.work, diverged, seconds)


# --- results


def read(sweep: Sweep) -> pa.Table:
    """Return the stored rows of a sweep's runs."""
    return scan(sweep.store, sweep.ids)


def _losses(sweep: Sweep) -> list[float]:
    table = read(sweep)
    loss = dict(zip(table["run"].to_pylist(), table["final_loss"].to_pylist(), strict=True))
    medians = []
    for runs in sweep.runs:
        values = [loss[run.id] for run in runs]
        finite = [value if math.isfinite(value) else math.inf for value in values]
        medians.append(statistics.median(finite))
    return medians


def _save_params(path: Path, sweep: Sweep) -> None:
    """Train the cell once more, which gives the same bits, and keep its parameters.

    Arrays are `W1` `(replicates, n_out, n_in)`, `b1` `(replicates, n_out)`, ...
    """
    runs = sweep.runs[0]
    result = train_stack(
        runs[0].spec, [run.run for run in runs], core_data(runs[0].setting.prepared)
    )
    each = [result[r].params for r in range(len(result))]
    stacked = {name: np.stack([params[name] for params in each]) for name in each[0]}
    try:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **stacked)
    except OSError as error:
        raise BadInput(
            f"`save_params` must be a file that can be written; got {path}: {error.strerror}."
        ) from None
