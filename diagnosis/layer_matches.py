"""How dW and db of one layer follow from a delta: by the right formulas, or by a wrong one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from diagnosis.calls import Array
from diagnosis.groups import Group
from diagnosis.layer_grads import bias_grads, weight_grads
from diagnosis.matching import Match, match
from diagnosis.model import Model
from diagnosis.operators import Arrays, Op, Signal, outer
from diagnosis.search_state import MARGIN

LEFT_OUT = 1e-6


class LayerMatches:
    """The author's dW and db, layer by layer, to be matched.

    Args:
        model: that reproduces the loss.
        groups: the gradients at points.
        exact: relative precision of a match.
    """

    def __init__(self, model: Model, groups: Sequence[Group], exact: float) -> None:
        self.model, self.groups, self.exact = model, groups, exact
        layers = range(len(model.layout.layers))
        self.true_W = [
            outer([g.true.A[k] for g in groups], [g.true.D[k] for g in groups]) for k in layers
        ]
        self.true_b = [[_bias_sums(g, g.true.D[k], k) for g in groups] for k in layers]

    def right(self, k: int, signal: Signal) -> tuple[Match | None, Match | None, Signal]:
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
            signal, W = settled(signal, W.weights), replace(W, weights=(1.0,))
        b = self._bias(k, [self._sums(k, basis) for basis in signal.bases])
        if b is not None:
            signal, b = settled(signal, b.weights), replace(b, weights=(1.0,))
        return W, b, signal

    def _sums(self, k: int, basis: Arrays) -> Arrays:
        return [_bias_sums(g, d, k) for g, d in zip(self.groups, basis, strict=True)]

    def _bias(self, k: int, sums: Sequence[Arrays]) -> Match | None:
        given = [db for g in self.groups if (db := g.db[k]) is not None]
        own = [b for g in self.groups if (b := g.batch.b[k]) is not None]
        if len(given) < len(self.groups) or len(own) < len(self.groups):
            return None
        return match(given, sums, own, self.true_b[k], self.exact)

    def weights(self, k: int, signal: Signal) -> list[Match]:
        """Return the cheapest wrong ways to make dW that match."""
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

    def biases(self, k: int, signal: Signal) -> list[Match]:
        """Return the cheapest wrong ways to make db that match."""
        return self._cheapest(
            (op, self._bias(k, [made]))
            for op, made in bias_grads(self.model, self.groups, signal.bases[0], signal.pre, k)
        )

    def _cheapest(self, tried: Iterable[tuple[Op, Match | None]]) -> list[Match]:
        hits = [replace(found, op=op) for op, found in tried if found is not None]
        hits.sort(key=lambda m: m.cost)
        return [m for m in hits if m.cost <= hits[0].cost + MARGIN]


def _is_no_leak(signal: Signal, found: Match) -> bool:
    """Whether the slope fitted on the negative side is that of a slope left out, or of ReLU."""
    leaks = any(op.word == "leaky_slope_mismatch" for op in signal.ops)
    return leaks and len(found.weights) > 1 and abs(found.weights[-1] - 1) < LEFT_OUT


def settled(signal: Signal, weights: Sequence[float]) -> Signal:
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
