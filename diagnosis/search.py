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

import numpy as np

from diagnosis.groups import Group
from diagnosis.hidden_deltas import Above, hidden_signals
from diagnosis.layer_matches import LayerMatches, settled
from diagnosis.matching import EXACT, UNEXPLAINED, Match
from diagnosis.model import Model
from diagnosis.norm_deltas import through_norm, without_paths
from diagnosis.operators import Signal
from diagnosis.output_deltas import output_signals
from diagnosis.reasons import TWO
from diagnosis.search_state import MARGIN, State, cost_of, longer, pruned

TRIED = 260
TWICE = 1.4
SECONDS = 6.0
# Two names for the same numbers, either of which may be what the author did.
TWINS = {"missing_output_derivative", "loss_gradient_mismatch", "softmax_jacobian_missing",
         "softmax_jacobian_diagonal", "softmax_extra_derivative",
         "hidden_delta_skips_weights"}  # fmt: skip


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
        self.model, self.groups = model, groups
        self.deadline = time.process_time() + seconds
        self.layers = LayerMatches(model, groups, exact)

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
                    signals += without_paths(self.model, self.groups, k, signals)
                pairs.append((state, sorted(signals, key=lambda s: s.cost)))
            states = self._layer(k, pairs)
        return sorted(states, key=lambda s: s.cost)

    # --- one layer

    def _layer(self, k: int, pairs: Sequence[tuple[State | None, list[Signal]]]) -> list[State]:
        made: list[State] = []
        best = min((s.cost if s else 0.0 for s, _ in pairs), default=0.0)
        for state, signals in pairs:
            made += self._explained(k, state, signals, best + 6)
        return pruned(made)

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
            signal = through_norm(self.model, self.groups, k, signal)
            if self._is_known(signal, seen):
                continue
            W, b, usable = self.layers.right(k, signal)
            if W is None and b is None:
                left.append(signal)
                continue
            for extended in self._completed(k, state, usable, W, b):
                found.append(extended)
                bound = min(bound, self._own_cost(state, extended) + MARGIN)
        for extended in self._from_neither(k, state, left, bound):
            found.append(extended)
            bound = min(bound, self._own_cost(state, extended) + MARGIN)
        if not found or bound > 2 * UNEXPLAINED:
            right = next((s for s in signals if not s.ops), signals[0])
            found.append(
                self._next(
                    k,
                    state,
                    through_norm(self.model, self.groups, k, right),
                    Match(None),
                    self._lost(k),
                )
            )
        return [s for s in found if self._own_cost(state, s) <= bound and s.cost <= most]

    def _from_neither(
        self, k: int, state: State | None, left: Sequence[Signal], bound: float
    ) -> Iterable[State]:
        """Explain the layer from deltas of which neither dW nor db follows as it should."""
        least = 1 if self.groups[0].db[k] is None else 2
        for signal in left[:TRIED]:
            if (
                signal.cost > TWICE
                or signal.cost + least > bound
                or time.process_time() > self.deadline
            ):
                return
            for extended in self._wrong_both(k, state, signal):
                yield extended
                bound = min(bound, self._own_cost(state, extended) + MARGIN)

    def _is_known(self, signal: Signal, seen: set[tuple[float, ...]]) -> bool:
        """Whether a cheaper signal has the same numbers, and there is no other word for them."""
        bases = [base[0].reshape(-1) for base in signal.bases]
        marks = [v for d in bases for v in (np.linalg.norm(d), d @ np.cos(np.arange(d.size)))]
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
        usual = [1.0, *(v for v, _ in TWO)] if any(op.free for op in new) else [1.0]
        over = [np.divide(f, known) for f in factors]
        odd = any(not any(np.allclose(f, v, rtol=1e-6) for v in usual) for f in over)
        return cost_of(new) + sum(m.cost for m in own if m is not None) + odd

    def _lost(self, k: int) -> Match | None:
        return Match(None) if self.groups[0].db[k] is not None else None

    def _completed(
        self, k: int, state: State | None, signal: Signal, W: Match | None, b: Match | None
    ) -> Iterable[State]:
        """Explain the array that the right formula does not."""
        biased = self.groups[0].db[k] is not None
        if W is not None and (b is not None or not biased):
            yield self._next(k, state, signal, W, b)
            return
        if W is None:
            for other in self.layers.weights(k, signal) or [Match(None)]:
                yield self._next(k, state, signal, other, b)
        else:
            for other in self.layers.biases(k, signal) or [Match(None)]:
                yield self._next(k, state, signal, W, other)

    def _wrong_both(self, k: int, state: State | None, signal: Signal) -> Iterable[State]:
        """Explain a layer of which neither array is right, from a plausible delta."""
        if len(signal.bases) > 1:
            return
        W = self.layers.weights(k, signal)
        if self.groups[0].db[k] is None:
            for w in W:
                yield self._next(k, state, signal, w, None)
            return
        b = self.layers.biases(k, signal)
        if not W and not b:
            return
        for w in W or [Match(None)]:
            for v in b or [Match(None)]:
                yield self._next(k, state, signal, w, v)

    def _next(
        self, k: int, state: State | None, signal: Signal, W: Match, b: Match | None
    ) -> State:
        return longer(k, state, settled(signal, signal.expected), W, b)
