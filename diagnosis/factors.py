"""Where constant factors belong: to a delta, which all layers below feel, to a dW, or to a db."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.groups import Group
from diagnosis.model import Model
from diagnosis.operators import Op
from diagnosis.reasons import ONE_NUMBER, TWO, Factor, is_close, is_one, mean_of_all, named
from diagnosis.search_state import MARGIN, State, cost_of

CLOSE = 2e-6
CHAINS = 400
NO_TERM = 1e-7


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


def _over(a: Factor, b: Factor) -> Factor:
    return tuple(x / y for x, y in zip(a, b, strict=True))


def _chains(
    factors: Sequence[tuple[Factor | None, Factor | None]], groups: int
) -> Iterator[list[Factor]]:
    """Yield what the deltas may be scaled with, from the output down."""
    one: Factor = (1.0,) * groups

    def options(at: int, before: Factor) -> list[Factor]:
        choice = [before]
        for factor in factors[at]:
            if factor is not None and not any(is_one(_over(factor, c)) for c in choice):
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
    factors = [(W.factors, b.factors if b else None)
                  for W, b in zip(reversed(state.W), reversed(state.b), strict=True)]  # fmt: skip
    scaling = _Scaling(
        state, [g.samples for g in groups], model.layout.widths, averaged(model, groups), factors
    )
    penalty_ops = tuple(_penalties(model, state))
    made = []
    for chain in itertools.islice(_chains(factors, len(groups)), CHAINS):
        every = (*scaling.ops(chain), *penalty_ops)
        made.append(Explained(every, cost_of(every) + 2.5 * state.lost, state))
    made.sort(key=lambda e: e.cost)
    return [e for e in made if e.cost <= made[0].cost + MARGIN]


@dataclass(frozen=True)
class _Scaling:
    """The factors of a state's arrays, to be given reasons.

    Attributes:
        state: an explanation up to factors.
        samples: of each group.
        widths: of the layers.
        averaged: whether the loss is a mean; None where that is not known.
        factors: of dW and db of each layer, from the output down.
    """

    state: State
    samples: Sequence[int]
    widths: Sequence[int]
    averaged: bool | None
    factors: Sequence[tuple[Factor | None, Factor | None]]

    def ops(self, chain: Sequence[Factor]) -> list[Op]:
        """Return all mistakes, with deltas scaled as a chain says, from the output down."""
        snapped = any(op.free for op in self.state.all_ops)
        before: Factor = (1.0,) * len(self.samples)
        found: list[Op] = []
        means: dict[int, Op] = {}
        for i, (scale, pair) in enumerate(zip(chain, self.factors, strict=True)):
            k = len(chain) - 1 - i
            own = _over(scale, self._from_above(k, scale, before))
            if not (snapped and not i and any(is_close(own, [v] * len(own)) for v, _ in TWO)):
                found += self._reasons(own, k, "delta")
            for factor, place in zip(pair, ("W", "b"), strict=True):
                if factor is None:
                    continue
                own = _over(factor, scale)
                mean = mean_of_all(self.state.b[k], own, self.samples, self.widths[k + 1])
                if place == "b" and mean is not None:
                    means[k] = mean
                else:
                    found += self._reasons(own, k, place)
            before = scale
        given = [means.get(op.layer, op) if op.word == ONE_NUMBER else op
                 for op in self.state.all_ops]  # fmt: skip
        return [*given, *found]

    def _from_above(self, k: int, scale: Factor, before: Factor) -> Factor:
        """Return the factor with which the delta of layer k comes from the one above."""
        if not any(op.word == "upstream_discarded" and op.layer == k for op in self.state.ops):
            return before
        # This delta does not come from above; m may or may not be in it.
        one = (1.0,) * len(self.samples)
        free = [one, tuple(1 / m for m in self.samples)]
        return next((f for f in free if is_one(_over(scale, f))), one)

    def _reasons(self, factor: Factor, k: int, place: str) -> list[Op]:
        if is_one(factor):
            return []
        return [
            Op(
                reason.word,
                k,
                place,
                reason.note,
                reason.cost,
                cure=reason.cure,
                written_in=reason.written_in,
                steady=reason.steady,
            )
            for reason in named(
                factor,
                self.samples,
                self.widths,
                self.averaged,
                place,
                inner=k < len(self.widths) - 2,
            )
        ]


def averaged(model: Model, groups: Sequence[Group]) -> bool | None:
    """Whether the loss is a mean over samples; None where that is not known.

    A sum may be a mean with a number of samples written in, so beside one number it is not known.
    """
    if len(model.factors) < 2:
        return None
    one, other = [factor * m for m, factor in model.factors.items()][:2]
    return True if np.allclose(one, other) else (False if len(groups) > 1 else None)


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
            note = _of_penalty(own_words(model, k, place), have, expected)
            yield Op("l2_gradient_wrong", k, place, note)


def _of_penalty(what: str, have: Sequence[float], expected: Sequence[float]) -> str:
    """Say what the gradient of an array holds of its penalty, and what that of the loss does."""
    if not any(have):
        return f"the gradient of {what} lacks its penalty's, {_terms(expected, what)}"
    loss = f"that of the loss {_terms(expected, what)}"
    loss = loss if any(expected) else "the loss has no penalty there"
    return f"the gradient of {what} holds {_terms(have, what)}, {loss}"


def own_words(model: Model, k: int, place: str) -> str:
    """Return what the author calls the weights or the bias of a layer, from 0."""
    layer = model.layout.layers[k]
    view = layer.W if place == "W" or layer.b is None else layer.b
    names = [v.name for x in model.layout.layers for v in (x.W, x.b) if v is not None]
    if names.count(view.name) == 1:
        return view.name
    what = "weights" if place == "W" else "biases"
    if names.count(view.name) == 2:
        return f"the {what} in {view.name}"
    return f"the {what} of layer {k + 1} in {view.name}"


def _expected(model: Model, k: int, place: str) -> tuple[float, float]:
    mine = [p for p in model.penalties if p.layer == k and p.part == place]
    return (
        sum(2 * p.factor for p in mine if p.power == 2),
        sum(p.factor for p in mine if p.power == 1),
    )


def _terms(factors: Sequence[float], name: str) -> str:
    """Return the gradient of a penalty as a formula; what is no more than rounding is left out."""
    powers = ("them", "their signs") if " " in name else (name, f"sign({name})")
    least = NO_TERM * max(abs(factor) for factor in factors)
    return " and ".join(
        f"{factor:.6g} times {what}"
        for factor, what in zip(factors, powers, strict=True)
        if abs(factor) > least
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
