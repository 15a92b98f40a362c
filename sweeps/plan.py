"""What has to be trained: runs minus what the store has, packed into stacks and tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bpcore import RunSpec, StackSpec, stack_size
from bpcore.stack import count_parameters
from sweeps.resolve import Run

# Work units (see `work`) of a task: long enough that handing it over costs nothing, short enough
# that its runs are in the store soon and all workers end together.
TASK_WORK = 3e8
# Stacks a worker should have to do, as long as they have this many runs.
STACKS_A_WORKER = 3
FEWEST_RUNS = 5
# Cost of handling a sample's unit once, and of a step's calls however small, in multiply-adds.
_ELEMENT = 12
_CALLS = 3e4


@dataclass(frozen=True)
class Stack:
    """Runs of one shape on the same data, to be trained together. Small, so that it travels well.

    Attributes:
        spec: what they share.
        digest: of their data.
        samples: training samples.
        ids: identity of each run.
        runs: what each has for itself.
        columns: of each run, the stored values that follow from its setting.
    """

    spec: StackSpec
    digest: str
    samples: int
    ids: tuple[str, ...]
    runs: tuple[RunSpec, ...]
    columns: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Stack:
        """Pack runs that agree in spec and data."""
        prepared = runs[0].setting.prepared
        return cls(
            runs[0].spec,
            prepared.digest,
            prepared.X.shape[1],
            tuple(run.id for run in runs),
            tuple(run.run for run in runs),
            tuple(run.setting.columns for run in runs),
        )

    @property
    def work(self) -> float:
        """Relative amount of work, roughly multiply-adds."""
        return work(self.spec, self.samples, len(self.ids))


@dataclass(frozen=True)
class Task:
    """Stacks that one worker trains in one go."""

    stacks: tuple[Stack, ...]

    @property
    def work(self) -> float:
        """Relative amount of work."""
        return sum(stack.work for stack in self.stacks)


def work(spec: StackSpec, samples: int, runs: int) -> float:
    """Estimate the work of a stack: products forward and twice back, elements, calls."""
    step = spec.batch_size or samples
    products = 3 * count_parameters(spec.sizes, bias=spec.bias) * step
    elements = _ELEMENT * sum(spec.sizes[1:]) * step
    start = 20 * count_parameters(spec.sizes, bias=spec.bias) + 20_000
    steps = spec.epochs * -(-samples // step) + len(spec.record)
    return steps * (runs * (products + elements) + _CALLS * spec.layers) + runs * start


def stacks(runs: Iterable[Run], known: Collection[str], workers: int = 1) -> list[Stack]:
    """Pack the runs that are not known into stacks, each run once.

    Stacks are of the size that trains fastest, or smaller where workers would have nothing to do.
    """
    groups: dict[tuple[StackSpec, str], dict[str, Run]] = {}
    of_setting: dict[tuple[int, bool], dict[str, Run]] = {}
    for run in runs:
        if run.id in known:
            continue
        # Hashing a spec for every run would cost more than all else here; most share a setting.
        near = (id(run.setting), run.spec.decays)
        if near not in of_setting:
            far = (run.spec, run.setting.prepared.digest)
            of_setting[near] = groups.setdefault(far, {})
        of_setting[near][run.id] = run
    packed = []
    apart = [listed for members in groups.values() for listed in _by_order(list(members.values()))]
    least = -(-STACKS_A_WORKER * workers // max(len(apart), 1))
    for listed in apart:
        spec = listed[0].spec
        size = stack_size(spec, listed[0].setting.prepared.X.shape[1])
        pieces = max(-(-len(listed) // size), min(least, len(listed) // FEWEST_RUNS), 1)
        # Pieces of even size: a last one of a few runs would take as long as a full one.
        bounds = [round(k * len(listed) / pieces) for k in range(pieces + 1)]
        packed += [Stack.of(listed[a:b]) for a, b in pairwise(bounds)]
    return packed


def _by_order(runs: list[Run]) -> list[list[Run]]:
    """Part runs by the order in which they see mini-batches, which a stack then gathers once.

    Only where enough runs share one, as in a sweep over rates or scales.
    """
    by_order: dict[tuple[int, int], list[Run]] = {}
    for run in runs:
        by_order.setdefault((run.run.seed, run.run.replicate), []).append(run)
    shared = runs[0].spec.batch_size is not None and len(runs) >= FEWEST_RUNS * len(by_order)
    return list(by_order.values()) if shared else [runs]


def tasks(packed: Sequence[Stack], workers: int) -> list[Task]:
    """Bundle stacks into tasks, the longest first so that workers end together."""
    total = sum(stack.work for stack in packed)
    most = min(TASK_WORK, total / max(workers, 1) / 2)
    bundles: list[Task] = []
    open_: list[Stack] = []
    gathered = 0.0
    for stack in sorted(packed, key=lambda s: s.work, reverse=True):
        open_.append(stack)
        gathered += stack.work
        if gathered >= most:
            bundles.append(Task(tuple(open_)))
            open_, gathered = [], 0.0
    if open_:
        bundles.append(Task(tuple(open_)))
    return bundles
