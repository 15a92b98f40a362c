"""Wrong slopes: rules of a layer whose `f'` is not the derivative of its activation.

Each function goes from the right rules of a layer to the wrong ones; one that returns a text says
why that cannot be done in a stack.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bpcore.activations import ACTIVATIONS, Array, leaky_relu_slope, positive
from bpcore.mistakes import other_activation, with_slope
from bpcore.rules import Rules

if TYPE_CHECKING:
    from bpcore.spec import StackSpec
    from bpcore.stack import Layer


def slope_at_activation(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:
    """Give the formula for `z` the activation `a`."""
    return with_slope(rules, layer, spec, formula="z", read="a")


def slope_at_preactivation(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:
    """Give the formula for `a` the pre-activation `z`."""
    return with_slope(rules, layer, spec, formula="a", read="z")


def no_slope_at_activation(spec: StackSpec) -> str:
    """Say that the slope has no formula in `a`, or ""."""
    if ACTIVATIONS[spec.activation].slope_at_a is None:
        return f"the slope of {spec.activation} has no formula in a"
    return ""


def slope_of_other(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:
    """Take the slope of another activation."""
    return with_slope(rules, layer, spec, activation=other_activation(layer, spec))


def no_kink(spec: StackSpec) -> str:
    """Say that the activation has no kink, or ""."""
    kinked = [name for name, activation in ACTIVATIONS.items() if activation.kinks]
    return "" if spec.activation in kinked else f"it needs activation {' or '.join(kinked)}"


def slope_left_out(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Take `dL/da` of a layer for its `dL/dz`."""

    def through_activation(layer: Layer, out: Array) -> None:
        pass

    return replace(rules, through_activation=through_activation)


def slope_into_cache(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Write the slope over `a` before the layer above has taken its dW from it."""

    def through_activation(layer: Layer, out: Array) -> None:
        layer.rules.slope(layer, layer.scratch)
        out *= layer.scratch
        layer.a_units[:] = layer.scratch[:, : layer.units]

    return replace(rules, through_activation=through_activation)


def upstream_discarded(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Take the slope alone for `dL/dz`."""

    def through_activation(layer: Layer, out: Array) -> None:
        layer.rules.slope(layer, out)

    return replace(rules, through_activation=through_activation)


_OTHER_SIDE = {"relu": leaky_relu_slope, "leaky_relu": positive}


def other_negative_side(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Take the slope of leaky ReLU for that of ReLU, or the reverse."""
    formula = _OTHER_SIDE[spec.activation]

    def slope(layer: Layer, out: Array) -> None:
        formula(layer.z, out)

    return replace(rules, slope=slope)


def not_piecewise_linear(spec: StackSpec) -> str:
    """Say that the activation is neither ReLU nor leaky ReLU, or ""."""
    fits = " or ".join(_OTHER_SIDE)
    return "" if spec.activation in _OTHER_SIDE else f"it needs activation {fits}"


def one_at_kink(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Let the slope at the kink be 1, as `grad[z < 0] = 0` does."""
    [kink] = ACTIVATIONS[spec.activation].kinks

    def slope(layer: Layer, out: Array) -> None:
        rules.slope(layer, out)
        np.copyto(out, 1.0, where=layer.z == kink)

    return replace(rules, slope=slope)


def slope_into_cache_late(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    """Write the slope over `a` after the layer above took its dW from it: the write is not felt."""

    def weight_grad(layer: Layer, out: Array) -> None:
        rules.weight_grad(layer, out)
        layer.rules.slope(layer, layer.scratch)
        layer.a_units[:] = layer.scratch[:, : layer.units]

    return replace(rules, weight_grad=weight_grad)
