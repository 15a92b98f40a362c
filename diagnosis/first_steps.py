"""The author's first steps: how long they are, and whether an optimizer that is right takes them.

After a first step `d1 = -r g0` the second step of momentum, in any of its forms, is `a g1 + b d1`
with `a <= 0 <= b < 1`, where `a` is 0 if only the look ahead of Nesterov is seen; of plain steps
`b` is 0.

Source:
    Polyak, USSR Comp. Math. 4(5), 1964; Sutskever et al., ICML 2013, eq. 1-4.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.calls import Array
from diagnosis.errors import SubjectFailed
from diagnosis.subject import Subject

EXACT, RESOLVED = 1e-6, 1e-3
SEEN = 2
SECONDS = 10.0
TRIED = np.logspace(-9, 4, 261)
FINER, ROUNDS = 40, 7


@dataclass(frozen=True)
class Steps:
    """The first steps of a training.

    Attributes:
        rate: how many gradients long the first is; negative where it goes up the gradient.
        uphill: whether it does so for sure: straight, or with the sign of the gradient everywhere.
        straight: whether the first is a multiple of the gradient and nothing else.
        known: whether the second is that of plain descent or momentum; None where it is not seen.
        plain: whether it is that of plain descent.
        by_grads: whether training calls `grads`, so that scaling what it returns scales steps.
    """

    rate: float
    uphill: bool
    straight: bool
    known: bool | None
    plain: bool
    by_grads: bool


def first_steps(subject: Subject, curve: Array) -> Steps | None:
    """Return the author's first steps; None where they cannot be seen.

    Args:
        subject: that has a `train`.
        curve: the losses it returns, which tell plain steps if nothing else does.
    """
    try:
        told = subject.ask("first_steps", seconds=SECONDS, most=SEEN, **subject.start._asdict())
    except SubjectFailed:
        return _from_the_curve(subject, curve)
    points = [_joined(params, subject) for params in told["seen"]]
    slopes = [_joined(grads, subject) for grads in told["grads"]]
    moves = [after - before for before, after in itertools.pairwise(points)]
    if not moves:
        return _from_the_curve(subject, curve)
    if not all(np.isfinite(v).all() and np.any(v) for v in (moves[0], slopes[0])):
        return None
    rate = -float(moves[0] @ slopes[0]) / float(slopes[0] @ slopes[0])
    straight = _same(moves[0], -rate * slopes[0])
    signs = np.sign(moves[0] * slopes[0])
    uphill = rate < 0 and (straight or bool(np.all(signs >= 0)))
    by_grads = told["by_grads"]
    if not by_grads and moves[0].size == 1:
        return None  # any step is straight, and of whose gradient it is was not seen
    known, plain = None, False
    if straight and len(moves) > 1 and all(np.isfinite(v).all() for v in (moves[1], slopes[1])):
        known, plain = _second(moves, slopes, rate)
    return Steps(rate, uphill, straight, known, plain, by_grads)


def _second(
    moves: Sequence[Array], slopes: Sequence[Array], rate: float
) -> tuple[bool | None, bool]:
    """Return whether the second step is a known one, None where it cannot be told, and a plain one.

    Where the second gradient is nearly the first, their shares in the step are not resolved.
    """
    if _same(moves[1], -rate * slopes[1]):
        return True, True
    directions = np.stack([slopes[1] / np.linalg.norm(slopes[1]), moves[0]], axis=1)
    directions[:, 1] /= np.linalg.norm(moves[0])
    if np.linalg.svd(directions, compute_uv=False)[-1] < RESOLVED:
        return None, False
    shares, *_ = np.linalg.lstsq(directions, moves[1], rcond=None)
    a = shares[0] / np.linalg.norm(slopes[1])
    b = shares[1] / np.linalg.norm(moves[0])
    down = a <= EXACT * abs(rate) and -EXACT < b < 1
    return bool(down and _same(moves[1], directions @ shares)), False


def _joined(arrays: Mapping[str, Array], subject: Subject) -> Array:
    return np.concatenate([np.asarray(arrays[n], float).reshape(-1) for n in subject.params])


def _same(one: Array, other: Array) -> bool:
    return bool(np.linalg.norm(one - other) <= EXACT * np.linalg.norm(one))


def _from_the_curve(subject: Subject, curve: Array) -> Steps | None:
    """Return plain steps whose losses are those of the curve, one for each step from the start."""
    start = float(subject.losses([subject.start])[0])
    usual = len(curve) > 2 and np.isfinite(curve[:3]).all() and np.isfinite(start)
    if not usual or abs(curve[0] - start) > EXACT * abs(start) or curve[1] == curve[0]:
        return None
    try:
        for rate in _crossings(subject, float(curve[1])):
            told = subject.ask(
                "descend", seconds=SECONDS, steps=2, lr=rate, **subject.start._asdict()
            )
            if np.allclose(told["losses"], curve[:3], rtol=EXACT, atol=0.0):
                return Steps(
                    rate, uphill=rate < 0, straight=True, known=rate > 0, plain=True, by_grads=False
                )
    except SubjectFailed:
        return None
    return None


def _crossings(subject: Subject, loss: float) -> list[float]:
    """Return the rates of one plain step to a loss."""
    found = []
    for grid in (TRIED, -TRIED):
        after = _after(subject, grid) - loss
        for i in np.flatnonzero(after[:-1] * after[1:] <= 0):
            low, high = float(grid[i]), float(grid[i + 1])
            for _ in range(ROUNDS):
                finer = np.linspace(low, high, FINER)
                off = _after(subject, finer) - loss
                cross = np.flatnonzero(off[:-1] * off[1:] <= 0)
                if not cross.size:
                    break
                low, high = float(finer[cross[0]]), float(finer[cross[0] + 1])
            found.append((low + high) / 2)
    return found


def _after(subject: Subject, rates: Array) -> Array:
    told = subject.ask("along", seconds=SECONDS, rates=rates, **subject.start._asdict())
    return np.asarray(told, float)
