"""Training stacks: here, or streamed from worker processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from bpcore import StackResult, train_stack
from sweeps import prepared, provenance, rows
from sweeps.plan import Stack, Task
from sweeps.resolve import core_data


@dataclass(frozen=True)
class Trained:
    """What a worker hands back."""

    rows: pa.Table
    where: dict[str, Any]
    work: float
    diverged: int
    seconds: float


def alone(tasks: list[Task], root: Path) -> Iterator[Trained]:
    """Train in this process, a stack at a time."""
    code = provenance.code()
    for task in tasks:
        for stack in task.stacks:
            yield _train_task(Task((stack,)), root, code)


def in_workers(tasks: list[Task], jobs: int, root: Path) -> Iterator[Trained]:
    """Train in up to `jobs` processes, a task at a time each, in whatever order they end."""
    from joblib import Parallel, delayed, parallel_config

    code, parent = provenance.code(), os.getpid()
    root = root.absolute()  # loky keeps workers for the next call, in the directory of the first
    with parallel_config("loky", inner_max_num_threads=1):
        parallel = Parallel(
            n_jobs=min(jobs, len(tasks)),
            return_as="generator_unordered",
            pre_dispatch="2*n_jobs",
            batch_size=1,
        )
        with _deaf_to_ctrl_c():  # workers start here; when and how they end is for us to say
            results = parallel(delayed(_work)(task, root, code, parent) for task in tasks)
        yield from results


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Ignore Ctrl-C here and, for all their life, in processes started meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def train_alone(stack: Stack, root: Path) -> StackResult:
    """Train a stack as workers do: BLAS with one thread, because two may give other bits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        data = core_data(prepared.load(root, stack.digest))
        return train_stack(stack.spec, stack.runs, data)


def _train_task(task: Task, root: Path, code: dict[str, Any]) -> Trained:
    from threadpoolctl import threadpool_limits

    tables, seconds, diverged = [], 0.0, 0
    with threadpool_limits(1):
        where = provenance.collect() | code
        identity = provenance.identity(where)
        for stack in task.stacks:
            data = core_data(prepared.load(root, stack.digest))
            began = time.process_time()
            result = train_stack(stack.spec, stack.runs, data)
            seconds += time.process_time() - began
            diverged += int(result.diverged.sum())
            tables.append(rows.table(stack, result, identity))
    return Trained(pa.concat_tables(tables), where, task.work, diverged, seconds)
