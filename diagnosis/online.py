"""Programs that step after every sample: their step is no gradient of the whole loss, and right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from diagnosis.calls import Array, Point, flat
from diagnosis.groups import Group, single_samples
from diagnosis.matching import EXACT
from diagnosis.model import Model
from diagnosis.probing import Probes, part
from diagnosis.subject import Subject

# Samples that the rate is fitted to.
FEW = 8
MOST = 3000
ROUNDS = 12
CLOSE = 1e-7
APART = 100


@dataclass(frozen=True)
class Online:
    """How a program steps after each sample.

    Attributes:
        rate: its step size.
        errors: by array, what its gradients differ from single steps of that size, relatively.
    """

    rate: float
    errors: Mapping[str, float]


def steps_after_each_sample(subject: Subject, model: Model, probes: Probes) -> Online | None:
    """Return the step size with which single right steps, one after another, give `grads`.

    Steps so small that they change nothing are none: what is then returned is a plain sum of
    gradients, which has to be the gradient of the loss like any other.

    Args:
        subject: whose gradient is wrong for all samples together.
        model: that reproduces its loss.
        probes: where to look at single samples.

    Returns:
        None if there is no such step size, or it cannot be told from zero.
    """
    if model.penalties or model.masks or model.norms:
        return None
    found = single_samples(model, subject, probes, EXACT)
    if found is None:
        return None
    model, single = found
    samples = max(model.factors)
    if samples > MOST or not _right(single):
        return None
    params = {n: np.asarray(a, float) for n, a in subject.params.items()}
    start = Point(params, subject.X, subject.Y)
    given = subject.try_grads(start)
    # Over few steps the first change with the rate is all there is to it, or nearly.
    few = part(start, model.layout.rows, range(min(samples, FEW)))
    first = subject.try_grads(few)
    if given is None or first is None:
        return None
    rate = _root(_left(model, few, first, min(samples, FEW)))
    online = None if rate is None else _holding(rate, _left(model, start, given, samples), given)
    if online is None:
        return None
    # One number can be fitted to one; it must hold where it was not fitted too.
    other = probes.point()
    given = subject.try_grads(other)
    if given is None:
        return None
    again = _differences(given, _sum(model, other, samples, online.rate))
    return online if max(again.values()) <= CLOSE else None


def _left(
    model: Model, start: Point, given: Mapping[str, Array], samples: int
) -> Callable[[float], Array]:
    """Return what single steps of a rate leave of the author's gradients over."""
    goal = flat(given)
    return lambda rate: flat(_sum(model, start, samples, rate)) - goal


def _holding(
    rate: float, left: Callable[[float], Array], given: Mapping[str, Array]
) -> Online | None:
    """Return steps of this rate if those of all samples are such steps, and no plain sum."""
    # The secants may run away: then the rate is no number, and nothing below holds of it.
    if not rate > 0:
        return None
    over = left(rate)
    size, rest = float(np.linalg.norm(flat(given))), float(np.linalg.norm(over))
    # What the search cannot tell from a plain sum is one, and what is left over is no evidence.
    apart = float(np.linalg.norm(left(0.0))) > max(EXACT * size, APART * rest)
    if not (rest <= CLOSE * size and apart):
        return None
    made, at = {}, 0
    for name, g in given.items():
        made[name] = np.asarray(g, float) + over[at : at + g.size].reshape(g.shape)
        at += g.size
    return Online(rate, _differences(given, made))


def _root(left: Callable[[float], Array]) -> float | None:
    """Return the rate at which nothing is left over along the first change; None without one."""
    at_once = left(0.0)
    slope = (left(1e-4) - at_once) / 1e-4
    size = float(slope @ slope)
    if not size:
        return None

    def short(rate: float) -> float:
        return float(left(rate) @ slope) / size

    before, rate = 0.0, -float(at_once @ slope) / size
    low, here = short(before), short(rate)
    for _ in range(ROUNDS):
        if here == low or abs(rate - before) < 1e-14 * abs(rate):
            break
        before, rate, low = rate, rate - here * (rate - before) / (here - low), here
        here = short(rate)
    return rate


def _differences(given: Mapping[str, Array], made: Mapping[str, Array]) -> dict[str, float]:
    """Return how far arrays are from each other, of the larger one's norm."""
    found = {}
    for name, array in given.items():
        top = max(float(np.linalg.norm(array)), float(np.linalg.norm(made[name])))
        found[name] = float(np.linalg.norm(array - made[name])) / top if top else 0.0
    return found


def _right(single: Group) -> bool:
    true = [
        (np.matmul(a.swapaxes(1, 2), d), np.sum(d, axis=1, keepdims=True))
        for a, d in zip(single.true.A, single.true.D, strict=False)
    ]
    for k, (W, b) in enumerate(true):
        if not np.allclose(single.dW[k], W, rtol=1e-6, atol=1e-9 * np.max(np.abs(W))):
            return False
        given = single.db[k]
        if given is not None and not np.allclose(
            given, b, rtol=1e-6, atol=1e-9 * np.max(np.abs(b))
        ):
            return False
    return True


def _sum(model: Model, start: Point, samples: int, rate: float) -> dict[str, Array]:
    """Return the sum of the true gradients of single samples, each after the steps before."""
    params = dict(start.params)
    total = {n: np.zeros(np.shape(a)) for n, a in params.items()}
    for i in range(samples):
        point = part(Point(params, start.X, start.Y), model.layout.rows, [i])
        grads = model.named_grads(point)
        total = {n: total[n] + grads[n] for n in total}
        params = {n: params[n] - rate * grads[n] for n in params}
    return total
