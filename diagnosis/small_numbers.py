"""A loss without the 1e-8 that keeps a logarithm finite, which people leave out of its derivative.

Where a known loss fits, its formula says what such a number does. Where none does, the loss is
computed with a number a million times smaller in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.errors import CallFailed
from diagnosis.subject import Subject

SMALLER = 1e-6
LOSSES = ("losses", "slopes")
# A coefficient, of a penalty for instance, is one at any size: the loss is linear in it.
TRIED = (0.1, 0.2, 0.3)
LINEAR = 1e-6


def without_small_numbers(
    subject: Subject, point: Point
) -> Iterator[tuple[Subject, tuple[float, ...]]]:
    """Yield subjects whose loss has next to nothing added, and the numbers that were added.

    A number counts as added where the loss depends on it and is not linear in it: one that
    multiplies a term of the loss belongs to the gradient. Each is left out alone, then all are: one
    may be a leak that grads takes care of.
    """
    try:
        own = subject.losses([point])[0]
        tried = {
            value: [_loss(subject, point, value, other) for other in TRIED]
            for value in subject.ask("small_numbers")
        }
    except CallFailed:
        return
    added = tuple(v for v, losses in tried.items() if _is_added(own, np.array(losses)))
    for numbers in [*((v,) for v in added), *([added] if len(added) > 1 else [])]:
        yield _with(subject, {v: SMALLER * v for v in numbers}), numbers


def _loss(subject: Subject, point: Point, value: float, other: float) -> float:
    message = {"points": [point._asdict()], "lenient": True, "numbers": [[value, other]]}
    return float(subject.ask("losses", **message)[0])


def _is_added(own: float, losses: Array) -> bool:
    if not np.isfinite(losses).all() or np.all(losses == own):
        return False
    first, second = np.diff(losses), np.diff(losses, 2)
    return bool(np.abs(second[0]) > LINEAR * np.max(np.abs(first)))


def _with(subject: Subject, numbers: dict[float, float]) -> Subject:
    pairs: Sequence[Sequence[float]] = [[old, new] for old, new in numbers.items()]

    def ask(do: str, **message: Any) -> Any:
        if do in LOSSES:
            message["numbers"] = pairs
        return subject.ask(do, **message)

    return subject.with_(ask=ask)
