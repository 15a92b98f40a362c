"""What is explained from some layer up, what it costs, and how it grows by a layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from diagnosis.matching import UNEXPLAINED, Match
from diagnosis.operators import Arrays, Op, Signal

AGAIN = 0.3
OTHER_PART = 0.7
MARGIN = 0.35
BEAM = 60


@dataclass(frozen=True)
class State:
    """What is explained from some layer up."""

    delta: Arrays
    pre: Arrays
    ops: tuple[Op, ...]
    W: tuple[Match, ...]
    b: tuple[Match | None, ...]
    out_delta: Arrays
    out_pre: Arrays
    unexplained: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()

    @property
    def all_ops(self) -> tuple[Op, ...]:
        """Everything wrong, arrays included."""
        own = [op for m in (*self.W, *self.b) if m is not None for op in m.ops]
        return (*self.ops, *own)

    @property
    def lost(self) -> int:
        """Number of arrays that nothing explains."""
        return sum(m is not None and m.factors is None for m in (*self.W, *self.b))

    @property
    def cost(self) -> float:
        """Of all; the same mistake in another layer costs less."""
        return cost_of(self.all_ops) + UNEXPLAINED * self.lost


def cost_of(ops: Iterable[Op]) -> float:
    """Add up mistakes: a word in full once, again in other layers a third, in other parts more."""
    first: dict[str, set[str]] = {}
    total = 0.0
    for op in ops:
        parts = first.setdefault(op.word, set())
        if op.part in parts:
            total += AGAIN * max(op.cost, 1.0)
        else:
            total += OTHER_PART * op.cost if parts else op.cost
        parts.add(op.part)
    return total


def longer(k: int, state: State | None, signal: Signal, W: Match, b: Match | None) -> State:
    """Return a state with layer k explained too.

    Args:
        k: the layer.
        state: of the layers above; None for the output layer.
        signal: the delta of layer k, of one basis.
        W: how its dW follows.
        b: how its db follows; None without one.
    """
    lost = W.factors is None and (b is None or b.factors is None)
    unexplained = (k,) if lost else ()
    one = (1.0,) * len(signal.pre)
    discards = any(op.word == "upstream_discarded" for op in signal.ops)
    above = one if state is None or discards else state.scale
    own = _carried(W) or one
    delta = [f * d for f, d in zip(own, signal.bases[0], strict=True)]
    pre = [f * p for f, p in zip(own, signal.pre, strict=True)]
    scale = tuple(x * y for x, y in zip(above, own, strict=True))
    W, b = _absolute(W, above), None if b is None else _absolute(b, above)
    if state is None:
        return State(delta, pre, signal.ops, (W,), (b,), delta, pre, unexplained, scale)
    return State(
        delta,
        pre,
        (*state.ops, *signal.ops),
        (W, *state.W),
        (b, *state.b),
        state.out_delta,
        state.out_pre,
        (*unexplained, *state.unexplained),
        scale,
    )


def _carried(W: Match) -> tuple[float, ...] | None:
    """Return the factor of a layer's delta, which dW shows if its formula is right.

    It only matters where a slope is taken of a delta, which knows its size.
    """
    return W.factors if W.op is None else None


def _absolute(found: Match, scale: tuple[float, ...]) -> Match:
    """Return a match with its factors as if no delta above had been scaled."""
    if found.factors is None:
        return found
    return replace(found, factors=tuple(f * s for f, s in zip(found.factors, scale, strict=True)))


def pruned(states: list[State]) -> list[State]:
    """Keep the cheapest states; of those with equal numbers, all within the margin."""
    states.sort(key=lambda s: s.cost)
    kept: list[State] = []
    for state in states:
        if state.cost > states[0].cost + 2 * UNEXPLAINED + 1:
            break
        kept.append(state)
    return kept[:BEAM]
