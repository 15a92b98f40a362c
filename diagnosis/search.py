"""Which mistakes reproduce the author's gradients: a search from the output down.

A state is the delta the author may have at a layer, and what was wrong so far. At each layer the
candidates for the delta are put through the right formulas of dW and db; those that give the
author's numbers at all points are kept. Since a candidate has to explain its own layer before the
next is looked at, mistakes in several layers add up and do not multiply.

Arrays are matched up to a factor; where factors belong is decided afterwards, by `factors`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from diagnosis.calls import Array
from diagnosis.groups import Group
from diagnosis.hidden_deltas import Above, hidden_signals
from diagnosis.layer_grads import bias_grads, weight_grads
from diagnosis.matching import EXACT, UNEXPLAINED, Match, match
from diagnosis.model import Model
from diagnosis.operators import Arrays, Op, Signal, outer
from diagnosis.output_deltas import output_signals

LEFT_OUT = 1e-6
AGAIN = 0.3
OTHER_PART = 0.7
MARGIN = 0.35
BEAM = 60
TRIED = 260
TWICE = 1.4
SECONDS = 6.0
# Two names for the same numbers, either of which may be what the author did.
TWINS = {"missing_output_derivative", "loss_gradient_mismatch", "softmax_jacobian_missing",
         "softmax_extra_derivative", "hidden_delta_skips_weights"}  # fmt: skip


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


class Search:
    """The search for one subject.

    Args:
        model: that reproduces its loss.
        groups: its gradients at points.
        exact: relative precision of a match.
    """

    def __init__(
        self,
        model: Model,
        groups: Sequence[Group],
        *,
        exact: float = EXACT,
        seconds: float = SECONDS,
    ) -> None:
        self.model, self.groups, self.exact = model, groups, exact
        self.deadline = time.process_time() + seconds
        layers = range(len(model.layout.layers))
        self.true_W = [
            outer([g.true.A[k] for g in groups], [g.true.D[k] for g in groups]) for k in layers
        ]
        self.true_b = [[_bias_sums(g, g.true.D[k], k) for g in groups] for k in layers]

    def run(self) -> list[State]:
        """Return explanations, the cheapest first."""
        last = len(self.model.layout.layers) - 1
        states = self._layer(last, [(None, output_signals(self.model, self.groups))])
        for k in range(last - 1, -1, -1):
            pairs = []
            for state in states:
                above = Above(state.delta, state.pre, state.out_delta, state.out_pre)
                signals = list(hidden_signals(self.model, self.groups, above, k))
                if k in self.model.norms:
                    signals += self._wrong_norms(k, signals)
                pairs.append((state, sorted(signals, key=lambda s: s.cost)))
            states = self._layer(k, pairs)
        return sorted(states, key=lambda s: s.cost)

    # --- one layer

    def _layer(self, k: int, pairs: Sequence[tuple[State | None, list[Signal]]]) -> list[State]:
        made: list[State] = []
        best = min((s.cost if s else 0.0 for s, _ in pairs), default=0.0)
        for state, signals in pairs:
            made += self._explained(k, state, signals, best + 6)
        return _pruned(made)

    def _explained(
        self, k: int, state: State | None, signals: list[Signal], most: float
    ) -> list[State]:
        """Return every way the layer follows from one state, up to the margin of the best."""
        found: list[State] = []
        bound = UNEXPLAINED * 2 + MARGIN
        left: list[Signal] = []
        seen: set[tuple[float, ...]] = set()
        for signal in signals:
            if signal.cost > bound or time.process_time() > self.deadline:
                break
            signal = self._normed(k, signal)
            if self._is_known(signal, seen):
                continue
            W, b, usable = self._right(k, signal)
            if W is None and b is None:
                left.append(signal)
                continue
            for extended in self._completed(k, state, usable, W, b):
                found.append(extended)
                bound = min(bound, self._own_cost(state, extended) + MARGIN)
        least = 1 if self.groups[0].db[k] is None else 2
        for signal in left[:TRIED]:
            if (
                signal.cost > TWICE
                or signal.cost + least > bound
                or time.process_time() > self.deadline
            ):
                break
            for extended in self._wrong_both(k, state, signal):
                found.append(extended)
                bound = min(bound, self._own_cost(state, extended) + MARGIN)
        if not found or bound > 2 * UNEXPLAINED:
            right = next((s for s in signals if not s.ops), signals[0])
            found.append(self._next(k, state, self._normed(k, right), Match(None), self._lost(k)))
        return [s for s in found if self._own_cost(state, s) <= bound and s.cost <= most]

    def _is_known(self, signal: Signal, seen: set[tuple[float, ...]]) -> bool:
        """Whether a cheaper signal has the same numbers, and there is no other word for them."""
        if len(signal.bases) > 1:
            return False
        d = signal.bases[0][0].reshape(-1)
        marks = (np.linalg.norm(d), d @ np.cos(np.arange(d.size)))
        key = tuple(float(f"{v:.9g}") for v in marks)
        known = key in seen and not (signal.ops and TWINS & {op.word for op in signal.ops})
        seen.add(key)
        return known

    def _own_cost(self, before: State | None, after: State) -> float:
        """What a layer adds; a factor that is new here counts, as it needs a reason too."""
        new = after.ops[len(before.ops) :] if before else after.ops
        own = [after.W[0], after.b[0]]
        above = before.W[0].factors if before else None
        known = above or (1.0,) * len(self.groups)
        factors = [m.factors for m in own if m is not None and m.factors is not None]
        odd = any(not np.allclose(f, known, rtol=1e-6) for f in factors)
        return cost_of(new) + sum(m.cost for m in own if m is not None) + odd

    def _lost(self, k: int) -> Match | None:
        return Match(None) if self.groups[0].db[k] is not None else None

    def _normed(self, k: int, signal: Signal) -> Signal:
        """Take a signal through a layer's batch norm, if it has one."""
        wrong = any(op.word == "batchnorm_backward_wrong" for op in signal.ops)
        if k not in self.model.norms or wrong:
            return signal
        through = [
            [
                self.model.through_norm(k, s, g.batch, g.true.linear)
                for s, g in zip(basis, self.groups, strict=True)
            ]
            for basis in signal.bases
        ]
        return replace(signal, bases=through)

    def _wrong_norms(self, k: int, signals: Sequence[Signal]) -> list[Signal]:
        """Return signals that miss a path of the batch norm, for those that are cheap."""
        made = []
        for signal in signals:
            if signal.cost > 1 or len(signal.bases) > 1:
                continue
            paths = [
                self.model.norm_paths(k, s, g.batch, g.true.linear)
                for s, g in zip(signal.bases[0], self.groups, strict=True)
            ]
            op = Op("batchnorm_backward_wrong", k, "delta", "")
            made.append(
                Signal(
                    [list(path) for path in zip(*paths, strict=True)],
                    signal.pre,
                    (*signal.ops, op),
                    (1.0, 1.0, 1.0),
                )
            )
        return made

    def _right(self, k: int, signal: Signal) -> tuple[Match | None, Match | None, Signal]:
        """Match dW and db by the right formulas; settle what combination of bases it is."""
        A = [g.true.A[k] for g in self.groups]
        W = match(
            [g.dW[k] for g in self.groups],
            [outer(A, basis) for basis in signal.bases],
            [g.batch.W[k] for g in self.groups],
            self.true_W[k],
            self.exact,
        )
        if W is not None and _is_no_leak(signal, W):
            W = None
        if W is not None:
            signal, W = _settled(signal, W.weights), replace(W, weights=(1.0,))
        b = self._bias(k, [self._sums(k, basis) for basis in signal.bases])
        if b is not None:
            signal, b = _settled(signal, b.weights), replace(b, weights=(1.0,))
        return W, b, signal

    def _sums(self, k: int, basis: Arrays) -> Arrays:
        return [_bias_sums(g, d, k) for g, d in zip(self.groups, basis, strict=True)]

    def _bias(self, k: int, sums: Sequence[Arrays]) -> Match | None:
        given = [db for g in self.groups if (db := g.db[k]) is not None]
        own = [b for g in self.groups if (b := g.batch.b[k]) is not None]
        if len(given) < len(self.groups) or len(own) < len(self.groups):
            return None
        return match(given, sums, own, self.true_b[k], self.exact)

    def _completed(
        self, k: int, state: State | None, signal: Signal, W: Match | None, b: Match | None
    ) -> Iterable[State]:
        """Explain the array that the right formula does not."""
        biased = self.groups[0].db[k] is not None
        if W is not None and (b is not None or not biased):
            yield self._next(k, state, signal, W, b)
            return
        if W is None:
            for other in self._weight_matches(k, signal) or [Match(None)]:
                yield self._next(k, state, signal, other, b)
        else:
            for other in self._bias_matches(k, signal) or [Match(None)]:
                yield self._next(k, state, signal, W, other)

    def _weight_matches(self, k: int, signal: Signal) -> list[Match]:
        return self._cheapest(
            (
                op,
                match(
                    [g.dW[k] for g in self.groups],
                    [made],
                    [g.batch.W[k] for g in self.groups],
                    self.true_W[k],
                    self.exact,
                ),
            )
            for op, made in weight_grads(self.model, self.groups, signal.bases[0], signal.pre, k)
        )

    def _bias_matches(self, k: int, signal: Signal) -> list[Match]:
        return self._cheapest(
            (op, self._bias(k, [made]))
            for op, made in bias_grads(self.model, self.groups, signal.bases[0], signal.pre, k)
        )

    def _cheapest(self, tried: Iterable[tuple[Op, Match | None]]) -> list[Match]:
        hits = [replace(found, op=op) for op, found in tried if found is not None]
        hits.sort(key=lambda m: m.cost)
        return [m for m in hits if m.cost <= hits[0].cost + MARGIN]

    def _wrong_both(self, k: int, state: State | None, signal: Signal) -> Iterable[State]:
        """Explain a layer of which neither array is right, from a plausible delta."""
        if len(signal.bases) > 1:
            return
        W = self._weight_matches(k, signal)
        if self.groups[0].db[k] is None:
            for w in W:
                yield self._next(k, state, signal, w, None)
            return
        b = self._bias_matches(k, signal)
        if not W and not b:
            return
        for w in W or [Match(None)]:
            for v in b or [Match(None)]:
                yield self._next(k, state, signal, w, v)

    def _next(
        self, k: int, state: State | None, signal: Signal, W: Match, b: Match | None
    ) -> State:
        signal = _settled(signal, signal.expected) if len(signal.bases) > 1 else signal
        lost = W.factors is None and (b is None or b.factors is None)
        unexplained = (k,) if lost else ()
        one = (1.0,) * len(self.groups)
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


def _is_no_leak(signal: Signal, found: Match) -> bool:
    """Whether the slope fitted on the negative side is that of a slope left out, or of ReLU."""
    leaks = any(op.word == "leaky_slope_mismatch" for op in signal.ops)
    return leaks and len(found.weights) > 1 and abs(found.weights[-1] - 1) < LEFT_OUT


def _settled(signal: Signal, weights: Sequence[float]) -> Signal:
    """Combine the bases of a signal into one."""
    if len(signal.bases) == 1:
        return signal
    combined = [
        np.asarray(sum(w * b for w, b in zip(weights, arrays, strict=True)))
        for arrays in zip(*signal.bases, strict=True)
    ]
    ops = tuple(replace(op, note=_with_value(op, weights)) for op in signal.ops)
    return replace(signal, bases=[combined], ops=ops, expected=(1.0,))


def _with_value(op: Op, weights: Sequence[float]) -> str:
    if op.word == "leaky_slope_mismatch":
        return f"the slope on the negative side is {weights[-1]:.6g}"
    if op.word == "weights_updated_before_backprop":
        return f"{op.note}, with a step of {weights[-1]:.6g}"
    return op.note


def _bias_sums(group: Group, delta: Array, k: int) -> Array:
    b = group.batch.b[k]
    if b is not None and b.shape[1] > 1:
        return delta
    return np.asarray(np.sum(delta, axis=1, keepdims=True))


def _pruned(states: list[State]) -> list[State]:
    """Keep the cheapest states; of those with equal numbers, all within the margin."""
    states.sort(key=lambda s: s.cost)
    kept: list[State] = []
    for state in states:
        if state.cost > states[0].cost + 2 * UNEXPLAINED + 1:
            break
        kept.append(state)
    return kept[:BEAM]
