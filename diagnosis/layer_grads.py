"""Gradients of the weights and the bias of one layer, from its delta."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from diagnosis.calls import Array
from diagnosis.formulas import SLOPES
from diagnosis.groups import Group
from diagnosis.model import Model
from diagnosis.operators import Arrays, Op, each_of, error_of, outer, same, times


def weight_grads(
    model: Model, groups: Sequence[Group], delta: Arrays, pre: Arrays, k: int
) -> Iterator[tuple[Op, Arrays]]:
    """Yield wrong ways to make dW of layer k out of its delta."""
    right = outer([g.true.A[k] for g in groups], delta)
    n_in, n_out = right[0].shape[1:]
    if n_in == n_out:
        yield (
            Op("weight_grad_transposed", k, "W", ""),
            [d.swapaxes(1, 2) for d in right],
        )
    if not same(pre, delta):
        last = k == len(model.layout.layers) - 1
        word = "missing_output_derivative" if last else "missing_hidden_derivative"
        yield (
            Op(word, k, "W", "dW is made of dL/da, without the slope"),
            outer([g.true.A[k] for g in groups], pre),
        )
    for word, text, values, cost in _operands(model, groups, k):
        fits = (
            v.shape[1] == d.shape[1] and v.shape[2] == n_in
            for v, d in zip(values, delta, strict=True)
        )
        if all(fits):
            made = outer(values, delta)
            yield Op(word, k, "W", f"dW takes {text} for a{k}", cost), made
            if n_in == n_out:
                also = Op("weight_grad_transposed", k, "W", "")
                yield (
                    Op(word, k, "W", f"dW takes {text} for a{k}", cost, also=also),
                    [d.swapaxes(1, 2) for d in made],
                )
    yield from _elementwise_grads(groups, delta, k)


def _operands(
    model: Model, groups: Sequence[Group], k: int
) -> Iterator[tuple[str, str, Arrays, float]]:
    layers = len(model.layout.layers)
    if k:
        slope = [g.true.slopes[k - 1] for g in groups]
        yield "inplace_derivative_overwrites_cache", f"f'(z{k})", slope, 1.0
        for form, name in (("z", "a"), ("a", "z")):
            formula = SLOPES.get((model.hidden[k - 1], form))
            values = [(g.true.A[k] if name == "a" else g.true.Z[k - 1]) for g in groups]
            taken = formula and each_of(values, formula)
            if taken:
                text = f"the slope formula for {form} at {name}{k}"
                yield "inplace_derivative_overwrites_cache", text, taken, 1.15
        yield "weight_grad_wrong_operand", f"z{k}", [g.true.Z[k - 1] for g in groups], 1.0
        yield (
            "weight_grad_wrong_operand",
            f"the delta of layer {k}",
            [g.true.D[k - 1] for g in groups],
            1.1,
        )
    for j in range(layers + 1):
        if j != k:
            text = "x" if j == 0 else f"a{j}"
            yield "weight_grad_wrong_activation", text, [g.true.A[j] for g in groups], 1.0
    for j in range(1, layers):
        if j != k:
            yield "weight_grad_wrong_operand", f"z{j}", [g.true.Z[j - 1] for g in groups], 1.2
    yield "weight_grad_wrong_operand", "y", [g.batch.Y for g in groups], 1.1
    yield "weight_grad_wrong_operand", "the error", error_of(groups), 1.1
    for j, W in enumerate(zip(*[g.batch.W for g in groups], strict=True)):
        yield "weight_grad_wrong_operand", f"W{j + 1}", list(W), 1.0
        yield ("weight_grad_wrong_operand", f"W{j + 1}", [w.swapaxes(1, 2) for w in W], 1.0)
    yield "weight_grad_wrong_operand", "ones", [np.ones_like(g.true.A[k]) for g in groups], 1.1


def _elementwise_grads(
    groups: Sequence[Group], delta: Arrays, k: int
) -> Iterator[tuple[Op, Arrays]]:
    """Yield elementwise products where the formula is a matrix product."""
    a, (n_in, n_out) = [g.true.A[k] for g in groups], groups[0].dW[k].shape[1:]
    W = [g.batch.W[k] for g in groups]
    note = "dW is an elementwise product"
    for x, y in ((a, delta), ([v.swapaxes(1, 2) for v in a], delta)):
        try:
            product = [u * v for u, v in zip(x, y, strict=True)]
        except ValueError:
            continue
        if all(p.shape[1:] == (n_in, n_out) for p in product):
            yield Op("dot_instead_of_elementwise", k, "W", note, 1.1), product
        elif all(p.shape[1:] == (n_out, n_in) for p in product):
            yield (
                Op("dot_instead_of_elementwise", k, "W", note, 1.1),
                [p.swapaxes(1, 2) for p in product],
            )
    yield (
        Op("weight_grad_wrong_operand", k, "W", "the summed delta is multiplied with W"),
        [w * np.sum(d, axis=1, keepdims=True) for w, d in zip(W, delta, strict=True)],
    )
    right = outer(a, delta)
    yield (
        Op("weight_grad_wrong_operand", k, "W", "dW is multiplied with W", 1.1),
        times(W, right),
    )


def bias_grads(
    model: Model, groups: Sequence[Group], delta: Arrays, pre: Arrays, k: int
) -> Iterator[tuple[Op, Arrays]]:
    """Yield wrong ways to make db of layer k, `(p, 1, n_out)`, out of its delta."""
    n = delta[0].shape[2]
    total = [np.sum(d, axis=(1, 2), keepdims=True) for d in delta]
    if n > 1:
        yield (
            Op("bias_grad_missing_axis", k, "b", "it is a sum without an axis"),
            [np.broadcast_to(t, (len(t), 1, n)) for t in total],
        )
    if all(d.shape[1] == n for d in delta) and n > 1:
        yield (
            Op("bias_grad_wrong_axis", k, "b", ""),
            [np.sum(d, axis=2)[:, None, :] for d in delta],
        )
    wrong = "bias_grad_wrong_formula"
    yield Op(wrong, k, "b", "made of dL/da, without the slope"), [_summed(p) for p in pre]
    for text, values in _bias_operands(model, groups, delta, k):
        yield Op(wrong, k, "b", text), values
    for j in range(len(model.layout.layers)):
        d = [g.true.D[j] for g in groups]
        if j != k and d[0].shape[2] == n:
            yield Op(wrong, k, "b", f"made of the delta of layer {j + 1}"), [_summed(x) for x in d]
    for i, text in ((0, "first"), (-1, "last")):
        yield (
            Op(wrong, k, "b", f"the delta of the {text} sample alone"),
            [d[:, [i], :] for d in delta],
        )


def _summed(d: Array) -> Array:
    return np.asarray(np.sum(d, axis=1, keepdims=True))


def _bias_operands(
    model: Model, groups: Sequence[Group], delta: Arrays, k: int
) -> Iterator[tuple[str, Arrays]]:
    a = [g.true.A[k] for g in groups]
    right = outer(a, delta)
    yield (
        "multiplied with the inputs of the layer",
        [np.sum(d, axis=1, keepdims=True) for d in right],
    )
    yield (
        "multiplied with the mean of the inputs of the layer",
        [np.mean(d, axis=1, keepdims=True) for d in right],
    )
    hidden = k < len(model.units)
    b = [g.batch.b[k] for g in groups]
    unit = model.units[k] if hidden else model.output.unit
    sums = [_summed(d) for d in delta]
    values = [x for x in b if x is not None and x.shape[1] == 1]
    if len(values) != len(groups):
        return
    yield "multiplied with b", times(values, sums)
    if unit is not None:
        yield "multiplied with the slope at b", times([unit.slope_at_z(x) for x in values], sums)
        if unit.slope_at_a:
            yield (
                "multiplied with the slope formula at b",
                times([unit.slope_at_a(x) for x in values], sums),
            )
    yield (
        "multiplied with z",
        [_summed(d * g.true.Z[k]) for d, g in zip(delta, groups, strict=True)],
    )
    yield (
        "multiplied with a",
        [_summed(d * g.true.A[k + 1]) for d, g in zip(delta, groups, strict=True)],
    )
