"""The named functions one training step is made of.

A step is a table of rules for each layer. Every rule has the signature `rule(layer, out)`: it may
read anything of its layer and writes only `out`. A defect replaces rules of this table; the
training loop has no other case. Shapes carry a leading run axis: `W` is `(R, n_out, n_in)`,
`z`, `a` and `delta` are `(R, rows, m)`, samples are columns. The bias is a further column of the
weights, `Wb = [W b]`, met by a row of ones below the inputs: one product does both (see
`stack.Layer`).

Backward order, from the top, is: propagate, slope of the layer below, then weight and bias
gradient. So a helper that writes into a cache, or a layer that is stepped before the layers below
used it, is felt exactly as in programs people post.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bpcore.activations import Activation, Array
from bpcore.buffers import zeros

if TYPE_CHECKING:
    from bpcore.stack import Layer

Rule = Callable[["Layer", Array], None]


@dataclass(frozen=True)
class Rules:
    """What one layer does in one training step.

    Attributes:
        affine: `z = W x + b`.
        activation: `a = f(z)`; in the output layer, the output unit.
        slope: `f'(z)`, for hidden layers.
        loss: the loss of each run, `(R,)`; output layer only.
        output_delta: `dL/dz` of the output layer.
        propagate: `W^T delta`, which is `dL/da` of the layer below.
        through_activation: `dL/dz` from `dL/da` and the slope, in place on `out`.
        weight_grad: `dL/dW` and `dL/db` together, `(R, n_out, n_in + 1)`.
        bias_grad: `dL/db` where it is to be another than that.
    """

    affine: Rule
    activation: Rule
    slope: Rule
    loss: Rule
    output_delta: Rule
    propagate: Rule
    through_activation: Rule
    weight_grad: Rule
    bias_grad: Rule


def affine(layer: Layer, out: Array) -> None:
    """`z = [W b] [x; 1]`, which is `W x` where there are no biases."""
    np.matmul(layer.Wb, layer.inputs, out=out)


def propagate(layer: Layer, out: Array) -> None:
    """`dL/dx = W^T delta`."""
    np.matmul(layer.W_T, layer.delta_units, out=out)


def propagate_one_unit() -> Rule:
    """`dL/dx = w delta` of a layer with one unit.

    `np.matmul` of an outer product leaves BLAS. With a second unit of zeros it does not, which is
    twice as fast as an elementwise product.
    """
    pairs: list[Array] = []

    def rule(layer: Layer, out: Array) -> None:
        if not pairs:
            R, n_in, _ = layer.W_T.shape
            pairs.append(zeros((R, n_in, 2), out.dtype))
            pairs.append(zeros((R, 2, layer.samples), out.dtype))
        pairs[0][:, :, :1] = layer.W_T
        pairs[1][:, :1] = layer.delta_units
        np.matmul(pairs[0], pairs[1], out=out)

    return rule


def through_activation(layer: Layer, out: Array) -> None:
    """`dL/dz = dL/da f'(z)`, elementwise."""
    layer.rules.slope(layer, layer.scratch)
    out *= layer.scratch


def weight_grad(layer: Layer, out: Array) -> None:
    """`[dL/dW dL/db] = delta [x; 1]^T`, the sum over samples; `delta` carries the loss's 1/m."""
    np.matmul(layer.delta_units, layer.inputs_T, out=out)


def weight_grad_one_sample(layer: Layer, out: Array) -> None:
    """`delta [x; 1]^T` of a single sample: `np.matmul` of an outer product leaves BLAS."""
    np.multiply(layer.delta_units, layer.inputs_T, out=out)


def nothing(layer: Layer, out: Array) -> None:
    """Do nothing: `bias_grad` where `weight_grad` has already written db, or there is no b."""


def not_here(layer: Layer, out: Array) -> None:  # noqa: ARG001
    """Refuse: a rule of the output layer called on a hidden one, or the reverse."""
    msg = f"layer {layer.number} has no such rule"
    raise AssertionError(msg)


def activation_rule(activation: Activation) -> Rule:
    """`a = f(z)`."""
    value = activation.value

    def rule(layer: Layer, out: Array) -> None:
        value(layer.z, out)

    return rule


def slope_rule(activation: Activation, *, bias: bool) -> Rule:
    """`f'(z)`, through `a` where the activation allows it, because that is cheaper."""
    # A sum that ends in `+ b` is never -0.0 (b is not: it starts at +0.0 or a number, and no
    # update makes -0.0 of that), and so is max(z, 0): the faster formula holds.
    at_a = activation.slope_at_positive_zero if bias else None
    at_a = at_a or activation.slope_at_a
    at_z = activation.slope_at_z

    def from_a(layer: Layer, out: Array) -> None:
        if at_a is not None:
            at_a(layer.a, out)

    def from_z(layer: Layer, out: Array) -> None:
        at_z(layer.z, out)

    return from_z if at_a is None else from_a


def backward_below(top: Layer) -> None:
    """Compute every gradient from the delta of the output layer, from the top down."""
    layer: Layer | None = top
    while layer is not None:
        rules, below = layer.rules, layer.below
        if below is not None:
            rules.propagate(layer, below.delta_units)
            below.rules.through_activation(below, below.delta)
        rules.weight_grad(layer, layer.dWb)
        rules.bias_grad(layer, layer.db)
        layer = below


def healthy(
    activation: Activation | None,
    output: tuple[Rule, Rule, Rule] | None,
    *,
    n_out: int,
    samples: int,
    bias: bool,
) -> Rules:
    """Return the right rules of a layer of this shape.

    Args:
        activation: of a hidden layer, else None.
        output: the output unit, the loss and the output delta of an output layer, else None.
        n_out: units of the layer. The formulation depends on shape, never on the number of runs.
        samples: columns of a step.
        bias: whether layers have biases.
    """
    unit, loss, delta = output or (not_here, not_here, not_here)
    return Rules(
        affine=affine,
        activation=activation_rule(activation) if activation else unit,
        slope=slope_rule(activation, bias=bias) if activation else not_here,
        loss=loss,
        output_delta=delta,
        propagate=propagate_one_unit() if n_out == 1 else propagate,
        through_activation=through_activation,
        weight_grad=weight_grad_one_sample if samples == 1 else weight_grad,
        bias_grad=nothing,
    )
