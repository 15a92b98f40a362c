"""How long a plan would take, from a short trial of its heaviest stacks on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bpcore import StackSpec, train_stack
from sweeps.plan import Stack
from sweeps.prepared import Prepared
from sweeps.resolve import core_data

TRIALS = 8
TRIAL_SECONDS = 0.15
# What starting worker processes costs, and a run that is drawn, recorded and written.
START_SECONDS, RUN_SECONDS = 1.0, 3e-4


def seconds(stacks: Sequence[Stack], prepared: Mapping[str, Prepared], jobs: int) -> float:
    """Estimate the time to train stacks with `jobs` workers.

    The stacks with the most work stand for the others, in proportion to their `work`.
    """
    from threadpoolctl import threadpool_limits

    heaviest: dict[tuple[StackSpec, str], Stack] = {}
    for stack in sorted(stacks, key=lambda s: s.work, reverse=True):
        heaviest.setdefault((stack.spec, stack.digest), stack)
    with threadpool_limits(1):
        rates = [
            (_trial(stack, prepared[stack.digest]), stack.work)
            for stack in list(heaviest.values())[:TRIALS]
        ]
    rate = sum(took for took, _ in rates) / sum(work for _, work in rates)
    runs = sum(len(stack.ids) for stack in stacks)
    total = rate * sum(stack.work for stack in stacks) + RUN_SECONDS * runs
    busy = min(jobs, len(stacks))
    return total / busy + (START_SECONDS if busy > 1 and total > START_SECONDS else 0)


def _trial(stack: Stack, prepared: Prepared) -> float:
    """Train a few epochs and return how long all of them would take."""
    data, epochs = core_data(prepared), stack.spec.epochs

    def took(tried: int) -> float:
        spec = replace(stack.spec, epochs=tried, record=(), probes=())
        began = time.perf_counter()
        train_stack(spec, stack.runs, data)
        return time.perf_counter() - began

    start, tried, slope = took(0), 1, 0.0
    while tried <= epochs:
        spent = took(tried) - start
        slope = max(spent, 0.0) / tried
        if spent > TRIAL_SECONDS:
            break
        tried *= 4
    return start + slope * epochs
