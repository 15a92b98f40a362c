"""From cells to stored runs: resolve, subtract what is known, train the rest, remember it.

Our launcher calls `run_cells` with many cells, train.py under any other launcher with one.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sweeps import plan, prepared, workers
from sweeps.asked import Sweep, ask, manifest, renamed, together
from sweeps.errors import BadInput
from sweeps.plan import Stack
from sweeps.progress import progress
from sweeps.scanning import scan
from sweeps.store import Store, Writer
from sweeps.whole import write_whole

if TYPE_CHECKING:
    from sweeps.compose import Cell, Problem

# Less work than this is done sooner than workers have started (in units of `plan.work`).
ALONE_WORK = 2e9


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


def run_cells(cells: Sequence[Cell | Problem], command: str | None = None) -> list[float]:
    """Train what is not in the store, and return the median final loss of each cell.

    Args:
        cells: composed cells; problems among them are reported together with invalid ones.
        command: what trains them, where it is not this process's own command line: then they
            are a sweep of their own.

    Returns:
        A number a cell, in their order; diverged runs count as inf. NaN never occurs.

    Raises:
        BadInput: a cell cannot be trained; nothing has been.
        StoreFailed: the store could not be written on the way.
    """
    asked = ask(cells, command)
    if command:
        DONE.clear()
    if DONE:
        DONE[0].sweep = together(DONE[0].sweep, asked)
    else:
        DONE.append(Done(asked))
    done, options = DONE[0], asked.cells[0].config
    runs = [run for runs in asked.runs for run in runs]
    jobs = options["jobs"] or workers.cores()
    if options["plan"]:
        known = _known(asked.store)
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
        _save_data(store, done)
        _save_params(Path(options["save_params"]), asked)
    return _losses(asked)


def _known(root: Path) -> set[str]:
    """Return what a store has, without making one."""
    if not (root / "parts").is_dir():
        return set()
    return set(scan(root, None, ["run"])["run"].to_pylist())


def _write_manifest(store: Store, done: Done) -> None:
    name = done.sweep.name
    if name != done.manifest and not store.members(name) <= set(done.sweep.ids):
        # Another sweep of this name has runs that this one lacks: it stays what it is.
        done.sweep = renamed(done.sweep)
        name = done.sweep.name
    isnew = not store.has_manifest(name)
    store.write_manifest(name, *manifest(done.sweep))
    if done.manifest and done.manifest != name:
        store.remove_manifest(done.manifest)  # the same sweep with fewer cells
    done.manifest = name if isnew or done.manifest == name else None


def _train(store: Store, wanted: list[Stack], jobs: int, done: Done) -> None:
    if not wanted:
        return
    _save_data(store, done)
    total = sum(stack.work for stack in wanted)
    alone = jobs == 1 or total < ALONE_WORK
    tasks = plan.tasks(wanted, 1 if alone else jobs)
    count = sum(len(stack.ids) for stack in wanted)
    with progress(count, total) as bar, Writer(store) as writer:
        for trained in (
            workers.alone(tasks, store.root)
            if alone
            else workers.in_workers(tasks, jobs, store.root)
        ):
            store.write_provenance(trained.where)
            writer.put(trained.rows)
            done.trained += len(trained.rows)
            done.engine_seconds += trained.seconds
            bar.advance(len(trained.rows), trained.work, trained.diverged)


def _save_data(store: Store, done: Done) -> None:
    """Put the arrays where workers find them."""
    settings = {runs[0].setting.prepared.digest: runs[0].setting for runs in done.sweep.runs}
    for setting in settings.values():
        try:
            prepared.save(setting.prepared, store.root)
        except OSError as error:
            raise store.failure(error) from error


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
    """Train the cell once more and keep its parameters; on one machine that gives the same bits.

    Arrays are `W1` `(replicates, n_out, n_in)`, `b1` `(replicates, n_out)`, ...
    """
    each = [
        result[r].params
        for stack in plan.stacks(sweep.runs[0], set())
        for result in [workers.train_alone(stack, sweep.store)]
        for r in range(len(result))
    ]
    stacked = {name: np.stack([params[name] for params in each]) for name in each[0]}

    def write(to: Path) -> None:
        with to.open("wb") as file:
            np.savez(file, allow_pickle=False, **stacked)

    try:
        write_whole(path, write)
    except OSError as error:
        raise BadInput(
            f"`save_params` must be a file that can be written; got {path}: {error.strerror}."
        ) from None
