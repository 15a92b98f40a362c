"""What the wrong rules of the catalogue are made of, in parts, so that several compose.

A slope and an output delta are taken apart here into what a program can get wrong each for itself:
whose slope it is, by which formula, of which array; and, of the output delta, the gradient of the
loss and the slope of the unit, whose product the healthy path writes in a shorter form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.activations import ACTIVATIONS, Activation, Array, ones
from bpcore.rules import Rule, Rules

if TYPE_CHECKING:
    from bpcore.spec import StackSpec
    from bpcore.stack import Layer

# From the right rules of a layer to the wrong ones.
Replace = Callable[[Rules, "Layer", "StackSpec"], Rules]

# The other function whose slope is most often left standing: people who switch from tanh to ReLU
# or back change one of the two passes.
OTHER_ACTIVATION = {"tanh": "relu"}
USUAL_OTHER = "tanh"


@dataclass(frozen=True)
class Slope:
    """`f'` as a program computes it.

    Attributes:
        activation: whose slope.
        formula: the variable that the formula is written for, "z" or "a".
        read: the array that it is given, "z" or "a".
    """

    activation: Activation
    formula: str
    read: str

    def __call__(self, layer: Layer, out: Array) -> None:
        """Write the slope into `out`."""
        at_a = self.activation.slope_at_a or ones
        formula = self.activation.slope_at_z if self.formula == "z" else at_a
        formula(layer.z if self.read == "z" else layer.a, out)


def _usual_slope(name: str) -> Slope:
    """Return the right slope, in the form that programs use: of `a` where there is one."""
    activation = ACTIVATIONS[name]
    variable = "z" if activation.slope_at_a is None else "a"
    return Slope(activation, variable, variable)


@dataclass(frozen=True)
class CrossEntropyGradient:
    """`dL/da = -(y/a - (1 - y)/(1 - a))` of binary cross-entropy, and how it is mistyped.

    Attributes:
        sign: what stands between the two terms; -1 is right.
        grouped: whether the second term has its parentheses; `1 - y/1 - a` is `1 - y - a`.
    """

    sign: float = -1.0
    grouped: bool = True

    def __call__(self, layer: Layer, out: Array) -> None:
        """Write the gradient into `out`; infinite or NaN at outputs of exactly 0 or 1."""
        a, y = layer.a, layer.targets
        second = (1.0 - y) / (1.0 - a) if self.grouped else 1.0 - y - a
        np.multiply(y / a + self.sign * second, -layer.share, out=out)


def _squared_error_gradient(layer: Layer, out: Array) -> None:
    """`dL/da = a - y`."""
    np.subtract(layer.a, layer.targets, out=out)
    out *= layer.share


@dataclass(frozen=True)
class OutputDelta:
    """`delta = dL/da f'(z)` of an output layer, in its two parts."""

    gradient: Rule
    slope: Slope

    def __call__(self, layer: Layer, out: Array) -> None:
        """Write the product into `out`."""
        self.gradient(layer, out)
        self.slope(layer, layer.scratch)
        out *= layer.scratch


def output_delta_in_parts(rules: Rules, spec: StackSpec) -> OutputDelta:
    """Return the output delta of these rules in its parts, already spoiled ones included."""
    if isinstance(rules.output_delta, OutputDelta):
        return rules.output_delta
    entropy = spec.loss == "binary_cross_entropy"
    gradient: Rule = CrossEntropyGradient() if entropy else _squared_error_gradient
    return OutputDelta(gradient, _usual_slope(spec.output))


def has_no_parts(spec: StackSpec) -> str:
    """Say why an output delta is no product of a loss's gradient and a unit's slope, or ""."""
    if spec.output in ACTIVATIONS and spec.loss != "softmax_cross_entropy":
        return ""
    return f"the delta of output={spec.output} with loss={spec.loss} is no product with a slope"


def with_slope(rules: Rules, layer: Layer, spec: StackSpec, **changes: Any) -> Rules:
    """Return the rules with some fields of the layer's `Slope` changed, hidden or output."""
    if layer.number == spec.layers:
        delta = output_delta_in_parts(rules, spec)
        changed = replace(delta.slope, **changes)
        return replace(rules, output_delta=replace(delta, slope=changed))
    slope = rules.slope if isinstance(rules.slope, Slope) else _usual_slope(spec.activation)
    return replace(rules, slope=replace(slope, **changes))


def other_activation(layer: Layer, spec: StackSpec) -> Activation:
    """Return the wrong function whose slope this layer is given."""
    name = spec.output if layer.number == spec.layers else spec.activation
    return ACTIVATIONS[OTHER_ACTIVATION.get(name, USUAL_OTHER)]
