"""Wrong deltas and gradients: what reaches a layer, what it makes of that, and when it is stepped.

Each function goes from the right rules of a layer to the wrong ones, or makes one that does; one
that returns a text says why that cannot be done in a stack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.activations import Array
from bpcore.losses import PAIRINGS, error_delta, softmax_delta
from bpcore.mistakes import CrossEntropyGradient, Replace, output_delta_in_parts
from bpcore.rules import Rule, Rules, backward_below, nothing

if TYPE_CHECKING:
    from bpcore.spec import StackSpec
    from bpcore.stack import Layer


def output_slope_left_out(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Take `a - y` for the delta of the output layer."""
    return replace(rules, output_delta=error_delta)


def delta_is_the_error(spec: StackSpec) -> str:
    """Say that `a - y` is the right delta, or ""."""
    # softmax_delta is a - y as well, for targets that sum to one.
    if PAIRINGS[spec.output, spec.loss][1] in (error_delta, softmax_delta):
        return f"with output={spec.output} and loss={spec.loss} the error is the right delta"
    return ""


def loss_gradient(**mistake: Any) -> Replace:
    """Mistype the cross-entropy's gradient, in these fields of `CrossEntropyGradient`."""

    def replaced(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
        delta = output_delta_in_parts(rules, spec)
        assert isinstance(delta.gradient, CrossEntropyGradient)  # noqa: S101 - see the refusal
        gradient = replace(delta.gradient, **mistake)
        return replace(rules, output_delta=replace(delta, gradient=gradient))

    return replaced


def not_cross_entropy(spec: StackSpec) -> str:
    """Say that the loss is not that of `CrossEntropyGradient`, or ""."""
    fits = spec.output == "sigmoid" and spec.loss == "binary_cross_entropy"
    return "" if fits else "it needs output=sigmoid with loss=binary_cross_entropy"


def scaled_delta(factor: Callable[[Layer], float]) -> Replace:
    """Multiply the delta of the output layer by a factor."""

    def replaced(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
        right = rules.output_delta

        def output_delta(layer: Layer, out: Array) -> None:
            right(layer, out)
            out *= factor(layer)

        return replace(rules, output_delta=output_delta)

    return replaced


def sums_over_samples(spec: StackSpec) -> str:
    """Say that the loss has no 1/m, or ""."""
    return "" if spec.reduction == "mean" else "it needs reduction=mean"


def _negated(rule: Rule) -> Rule:
    def negated(layer: Layer, out: Array) -> None:
        rule(layer, out)
        np.negative(out, out=out)

    return negated


def sign_error(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Negate the gradients of a layer."""
    return replace(rules, weight_grad=_negated(rules.weight_grad))


def bias_mean(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Divide db by m once more."""
    right = rules.bias_grad

    def bias_grad(layer: Layer, out: Array) -> None:
        right(layer, out)  # db is there already unless another defect writes it
        out /= layer.samples

    return replace(rules, bias_grad=bias_grad)


def no_bias(spec: StackSpec) -> str:
    """Say that there are no biases, or ""."""
    return "" if spec.bias else "it needs bias=true"


def weights_updated_first(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Propagate through weights that are stepped already."""
    # The flat update subtracts rate * dW afterwards, as ever; only what is propagated through
    # already has it subtracted. So gradients and update stay what the probes take them for.
    stepped = np.empty_like(layer.Wb)

    def propagate(layer: Layer, out: Array) -> None:
        rules.weight_grad(layer, layer.dWb)
        np.multiply(layer.dWb, layer.rate, out=stepped)
        np.subtract(layer.Wb, stepped, out=stepped)
        W_T, layer.W_T = layer.W_T, stepped[:, :, : layer.W.shape[2]].transpose(0, 2, 1)
        rules.propagate(layer, out)
        layer.W_T = W_T

    return replace(rules, propagate=propagate, weight_grad=nothing)


def not_plain_sgd(spec: StackSpec) -> str:
    """Say that a step is more than `lr dW`, or ""."""
    plain = spec.optimizer == "sgd" and not spec.decays
    return "" if plain else "it needs optimizer=sgd without weight_decay"


def error_without_slope(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:
    """Propagate `dL/da` of the layer where `dL/dz` belongs; its own gradients stay right."""
    error: list[Array] = []
    top = layer.number == spec.layers

    def keep(values: Array) -> None:
        if not error:
            error.append(np.empty_like(values))
        np.copyto(error[0], values)

    def output_delta(layer: Layer, out: Array) -> None:
        output_delta_in_parts(rules, spec).gradient(layer, out)
        keep(out)
        rules.output_delta(layer, out)

    def through_activation(layer: Layer, out: Array) -> None:
        keep(out)
        rules.through_activation(layer, out)

    def propagate(layer: Layer, out: Array) -> None:
        delta = layer.delta_units
        layer.delta_units = error[0][:, : layer.units]
        rules.propagate(layer, out)
        layer.delta_units = delta

    if top:
        return replace(rules, output_delta=output_delta, propagate=propagate)
    return replace(rules, through_activation=through_activation, propagate=propagate)


def backward_twice(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Go back once for nothing, then again through whatever the first pass left in the buffers."""

    def output_delta(layer: Layer, out: Array) -> None:
        rules.output_delta(layer, out)
        backward_below(layer)
        rules.output_delta(layer, out)

    return replace(rules, output_delta=output_delta)
