"""Where constant factors belong: to a delta, which all layers below feel, to a dW, or to a db."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.groups import Group
from diagnosis.model import Model
from diagnosis.operators import Op
from diagnosis.search import MARGIN, State, cost_of

CLOSE = 2e-6
NEXT = 3
Factor = tuple[float, ...]


@dataclass(frozen=True)
class Explained:
    """A complete explanation: mistakes, what it costs, and arrays nothing explains."""

    ops: tuple[Op, ...]
    cost: float
    state: State

    @property
    def words(self) -> frozenset[str]:
        """The vocabulary of the explanation."""
        return frozenset(op.word for op in self.ops)


def _is(factor: Factor, values: Sequence[float]) -> bool:
    return all(
        abs(f - v) <= CLOSE * max(abs(v), 1e-12) for f, v in zip(factor, values, strict=True)
    )


def _one(factor: Factor) -> bool:
    return _is(factor, [1.0] * len(factor))


def _over(a: Factor, b: Factor) -> Factor:
    return tuple(x / y for x, y in zip(a, b, strict=True))


def named(
    factor: Factor, samples: Sequence[int], widths: Sequence[int], averaged: bool, place: str
) -> Iterator[tuple[str, str, float]]:
    """Yield words, notes and costs of a factor; several where it is a product."""
    m = [float(s) for s in samples]
    [1 / s for s in m]
    if all(f < 0 for f in factor):
        yield "sign_error", "the sign is the other one", 1.0
        factor = tuple(-f for f in factor)
        if _one(factor):
            return
    bias = place == "b"
    # A factor on dW alone is less likely than one on db alone.
    cost = 1.05 if place == "W" else 1.0
    times_m = _times_m(factor, m, averaged, bias)
    if times_m:
        yield (*times_m, cost)
        return
    for two, text in ((2.0, "twice"), (0.5, "half of")):
        if _is(factor, [two] * len(m)):
            word = "bias_grad_wrong_formula" if bias else "loss_gradient_mismatch"
            yield word, f"{text} the right one", cost + 0.1
            return
    divided = _divided(factor, m, widths)
    if divided:
        yield ("bias_grad_wrong_formula" if bias else "wrong_batch_size"), divided, cost
        return
    for two, text in ((2.0, "twice"), (0.5, "half of")):
        times_m = _times_m(tuple(f / two for f in factor), m, averaged, bias)
        if times_m:
            yield (*times_m, cost)
            yield "loss_gradient_mismatch", f"{text} the right one besides", cost
            return
    if bias:
        yield "bias_grad_wrong_formula", f"{factor[0]:.6g} times the right one", 1.3
    else:
        yield "unexplained", f"{factor[0]:.6g} times the right one", 2.0


def _times_m(
    factor: Factor, m: Sequence[float], averaged: bool, bias: bool
) -> tuple[str, str] | None:
    for values, word, note in (
        (
            m,
            "missing_batch_mean",
            "the 1/m of the loss is left out" if averaged else "m times the right one",
        ),
        ([1 / s for s in m], "extra_batch_mean", "divided by m once more than the loss"),
    ):
        if _is(factor, values):
            return ("bias_grad_mean_instead_of_sum" if bias else word), note
    return None


def _divided(factor: Factor, m: Sequence[float], widths: Sequence[int]) -> str | None:
    """Say what else than m a factor comes from dividing by; None if nothing is known."""
    for width in sorted({*widths, *(w + 1 for w in widths)} - {1}):
        for value, text in (
            ([s / width for s in m], f"divided by {width}, a number of units, for m"),
            ([1 / width] * len(m), f"divided by {width}, a number of units, besides"),
            ([float(width)] * len(m), f"{width} times the right one, a number of units"),
        ):
            if _is(factor, value):
                return text
    divisors = [s / f for s, f in zip(m, factor, strict=True)]
    if len(m) > 1 and _is(tuple(divisors), [divisors[0]] * len(m)) and divisors[0] > 1:
        return f"divided by {divisors[0]:.6g} for the number of samples"
    shifts = [round(d - s) for d, s in zip(divisors, m, strict=True)]
    if (
        0 < abs(shifts[0]) <= NEXT
        and len(set(shifts)) == 1
        and _is(tuple(divisors), [s + shifts[0] for s in m])
    ):
        return f"divided by m {shifts[0]:+d}"
    if len(m) == 1 and round(divisors[0]) > 1 and _is((divisors[0],), [round(divisors[0])]):
        return f"divided by {round(divisors[0])} for the number of samples"
    return None


def _chains(
    factors: Sequence[tuple[Factor | None, Factor | None]], groups: int
) -> Iterator[list[Factor]]:
    """Yield what the deltas may be scaled with, from the output down."""
    one: Factor = (1.0,) * groups

    def options(at: int, before: Factor) -> list[Factor]:
        choice = [before]
        for factor in factors[at]:
            if factor is not None and not any(_one(_over(factor, c)) for c in choice):
                choice.append(factor)
        return choice

    def walk(at: int, before: Factor) -> Iterator[list[Factor]]:
        if at == len(factors):
            yield []
            return
        for chosen in options(at, before):
            for rest in walk(at + 1, chosen):
                yield [chosen, *rest]

    return walk(0, one)


def split(model: Model, groups: Sequence[Group], state: State) -> list[Explained]:
    """Put the factors of a state where they cost least, and judge its penalties.

    Args:
        model: of the network.
        groups: the points matched.
        state: an explanation up to factors.

    Returns:
        The cheapest, and others that cost hardly more.
    """
    layers = len(model.layout.layers)
    pairs = [(state.W[k].factors, b.factors if (b := state.b[k]) else None)
             for k in range(layers - 1, -1, -1)]  # fmt: skip
    samples, widths = [g.samples for g in groups], model.layout.widths
    averaged = len(groups) > 1 and bool(
        np.allclose(groups[0].factor * samples[0], groups[1].factor * samples[1])
    )
    snapped = any(op.free for op in state.all_ops)
    penalty_ops = tuple(_penalties(model, state))
    fresh = {op.layer for op in state.ops if op.word == "upstream_discarded"}
    one: Factor = (1.0,) * len(groups)
    made = []
    for chain in itertools.islice(_chains(pairs, len(groups)), 400):
        before = one
        ops: list[Op] = []
        for i, scale in enumerate(chain):
            k = layers - 1 - i
            if k in fresh:
                # This delta does not come from above; m may or may not be in it.
                free = [one, tuple(1 / m for m in samples)]
                before = next((f for f in free if _one(_over(scale, f))), one)
            ops += _ops(
                _over(scale, before), k, "delta", samples, widths, averaged, snapped and not i
            )
            for factor, place in zip(pairs[i], ("W", "b"), strict=True):
                if factor is not None:
                    ops += _ops(_over(factor, scale), k, place, samples, widths, averaged, False)
            before = scale
        every = (*state.all_ops, *ops, *penalty_ops)
        made.append(Explained(every, cost_of(every) + 2.5 * state.lost, state))
    made.sort(key=lambda e: e.cost)
    return [e for e in made if e.cost <= made[0].cost + MARGIN]


def _ops(
    factor: Factor,
    k: int,
    place: str,
    samples: Sequence[int],
    widths: Sequence[int],
    averaged: bool,
    snapped: bool,
) -> list[Op]:
    if _one(factor) or (snapped and any(_is(factor, [v] * len(factor)) for v in (2.0, 0.5))):
        return []
    return [
        Op(word, k, place, note, cost)
        for word, note, cost in named(factor, samples, widths, averaged, place)
    ]


def _penalties(model: Model, state: State) -> Iterator[Op]:
    """Yield what is wrong with the gradients of penalties."""
    if model.rooted:
        return
    for k, (W, b) in enumerate(zip(state.W, state.b, strict=True)):
        for found, place in ((W, "W"), (b, "b")):
            if found is None or found.factors is None:
                continue
            expected = _expected(model, k, place)
            have = found.extra or (0.0, 0.0)
            scaled = found.factors[0]
            if not _differ(have, expected) or (
                abs(scaled - 1) > CLOSE and not _differ(have, tuple(scaled * e for e in expected))
            ):
                continue
            if np.max(np.abs(expected)) == 0 and np.max(np.abs(have)) < 1e-7:
                continue
            power = 0 if abs(have[0] - expected[0]) > abs(have[1] - expected[1]) else 1
            what = f"{place}{k + 1}" if power == 0 else f"sign({place}{k + 1})"
            note = f"d{place}{k + 1} holds {have[power]:.6g} {what}, the loss {expected[power]:.6g}"
            yield Op("l2_gradient_wrong", k, place, note)


def _expected(model: Model, k: int, place: str) -> tuple[float, float]:
    mine = [p for p in model.penalties if p.layer == k and p.part == place]
    return (
        sum(2 * p.factor for p in mine if p.power == 2),
        sum(p.factor for p in mine if p.power == 1),
    )


def _differ(a: Sequence[float], b: Sequence[float]) -> bool:
    return any(abs(x - y) > 1e-5 * max(abs(x), abs(y)) + 1e-9 for x, y in zip(a, b, strict=True))


def explanations(model: Model, groups: Sequence[Group], states: Sequence[State]) -> list[Explained]:
    """Return complete explanations, the cheapest first, one for each set of mistakes."""
    made = [e for state in states for e in split(model, groups, state)]
    made.sort(key=lambda e: e.cost)
    kept: list[Explained] = []
    for one in made:
        places = {(op.word, op.layer, op.part) for op in one.ops}
        if all(places != {(op.word, op.layer, op.part) for op in k.ops} for k in kept):
            kept.append(one)
    return kept
