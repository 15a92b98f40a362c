"""The catalogue of defects that networks can be trained with.

A defect replaces rules of a layer and nothing else: the healthy path has no case for it. Names are
those of the vocabulary that diagnosis uses. `name` applies to every layer it can apply to,
`name@2` to one: layers are numbered from 1 as in W1, and -1 is the output layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.activations import ACTIVATIONS, Array, leaky_relu_slope, positive
from bpcore.losses import PAIRINGS, error_delta, softmax_delta
from bpcore.mistakes import (
    CrossEntropyGradient,
    backward_twice,
    error_without_slope,
    has_no_parts,
    one_at_kink,
    other_activation,
    output_delta_in_parts,
    slope_into_cache_late,
    with_slope,
)
from bpcore.rules import Rule, Rules, nothing
from bpcore.tables import lookup

if TYPE_CHECKING:
    from bpcore.spec import StackSpec
    from bpcore.stack import Layer

Replace = Callable[[Rules, "Layer", "StackSpec"], Rules]


@dataclass(frozen=True)
class Defect:
    """One mistake.

    Attributes:
        sentence: what is done, and what would be right.
        equation: what is computed in place of what.
        source: where it was seen.
        place: the layers it is made in unless one is named: "hidden", "output", "any", "above" (any
            but the first).
        replaced: from the right rules to the wrong ones.
        refusal: why it cannot be made in this stack, or "".
        named: the layers it can be made in where one is named, if these are more.
    """

    sentence: str
    equation: str
    source: str
    place: str
    replaced: Replace
    refusal: Callable[[StackSpec], str] = lambda spec: ""  # noqa: ARG005
    named: str = ""


# --- slopes


def _slope_at_activation(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:
    return with_slope(rules, layer, spec, formula="z", read="a")


def _slope_at_preactivation(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:
    return with_slope(rules, layer, spec, formula="a", read="z")


def _no_slope_at_activation(spec: StackSpec) -> str:
    if ACTIVATIONS[spec.activation].slope_at_a is None:
        return f"the slope of {spec.activation} has no formula in a"
    return ""


def _slope_of_other(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:
    return with_slope(rules, layer, spec, activation=other_activation(layer, spec))


def _no_kink(spec: StackSpec) -> str:
    kinked = [name for name, activation in ACTIVATIONS.items() if activation.kinks]
    return "" if spec.activation in kinked else f"it needs activation {' or '.join(kinked)}"


def _slope_left_out(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    def through_activation(layer: Layer, out: Array) -> None:
        pass

    return replace(rules, through_activation=through_activation)


def _slope_into_cache(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    def through_activation(layer: Layer, out: Array) -> None:
        layer.rules.slope(layer, layer.scratch)
        out *= layer.scratch
        layer.a_units[:] = layer.scratch[:, : layer.units]

    return replace(rules, through_activation=through_activation)


def _upstream_discarded(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    def through_activation(layer: Layer, out: Array) -> None:
        layer.rules.slope(layer, out)

    return replace(rules, through_activation=through_activation)


_OTHER_SIDE = {"relu": leaky_relu_slope, "leaky_relu": positive}


def _other_negative_side(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    formula = _OTHER_SIDE[spec.activation]

    def slope(layer: Layer, out: Array) -> None:
        formula(layer.z, out)

    return replace(rules, slope=slope)


def _not_piecewise_linear(spec: StackSpec) -> str:
    fits = " or ".join(_OTHER_SIDE)
    return "" if spec.activation in _OTHER_SIDE else f"it needs activation {fits}"


# --- the output delta


def _output_slope_left_out(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    return replace(rules, output_delta=error_delta)


def _delta_is_the_error(spec: StackSpec) -> str:
    # softmax_delta is a - y as well, for targets that sum to one.
    if PAIRINGS[spec.output, spec.loss][1] in (error_delta, softmax_delta):
        return f"with output={spec.output} and loss={spec.loss} the error is the right delta"
    return ""


def _loss_gradient(**mistake: Any) -> Replace:
    def replaced(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
        delta = output_delta_in_parts(rules, spec)
        assert isinstance(delta.gradient, CrossEntropyGradient)  # noqa: S101 - see the refusal
        gradient = replace(delta.gradient, **mistake)
        return replace(rules, output_delta=replace(delta, gradient=gradient))

    return replaced


def _not_cross_entropy(spec: StackSpec) -> str:
    fits = spec.output == "sigmoid" and spec.loss == "binary_cross_entropy"
    return "" if fits else "it needs output=sigmoid with loss=binary_cross_entropy"


def _scaled_delta(factor: Callable[[Layer], float]) -> Replace:
    def replaced(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
        right = rules.output_delta

        def output_delta(layer: Layer, out: Array) -> None:
            right(layer, out)
            out *= factor(layer)

        return replace(rules, output_delta=output_delta)

    return replaced


def _sums_over_samples(spec: StackSpec) -> str:
    return "" if spec.reduction == "mean" else "it needs reduction=mean"


# --- gradients of one layer


def _negated(rule: Rule) -> Rule:
    def negated(layer: Layer, out: Array) -> None:
        rule(layer, out)
        np.negative(out, out=out)

    return negated


def _sign_error(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    return replace(rules, weight_grad=_negated(rules.weight_grad))


def _bias_mean(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
    right = rules.bias_grad

    def bias_grad(layer: Layer, out: Array) -> None:
        right(layer, out)  # db is there already unless another defect writes it
        out /= layer.samples

    return replace(rules, bias_grad=bias_grad)


def _no_bias(spec: StackSpec) -> str:
    return "" if spec.bias else "it needs bias=true"


# --- order of backprop and step


def _weights_updated_first(rules: Rules, layer: Layer, spec: StackSpec) -> Rules:  # noqa: ARG001
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


def _not_plain_sgd(spec: StackSpec) -> str:
    plain = spec.optimizer == "sgd" and not spec.decays
    return "" if plain else "it needs optimizer=sgd without weight_decay"


POSTED = "forum post reproduced in conf/case/{}.yaml"
SEEN = "hand-written programs on forums; no one post"

DEFECTS: Mapping[str, Defect] = MappingProxyType(
    {
        "derivative_at_activation": Defect(
            "The slope formula for z is applied to a: f'(a) for f'(z).",
            "delta = f'(a) * W^T delta  for  f'(z) * W^T delta",
            POSTED.format("000"),
            "hidden",
            _slope_at_activation,
        ),
        "derivative_at_preactivation": Defect(
            "The slope formula for a is applied to z: for tanh 1 - z^2 for 1 - a^2.",
            "delta = (1 - z^2) * W^T delta  for  (1 - a^2) * W^T delta",
            POSTED.format("002"),
            "hidden",
            _slope_at_preactivation,
            _no_slope_at_activation,
            named="any",
        ),
        "derivative_of_other_activation": Defect(
            "The slope of another function is taken: tanh's, or ReLU's where it should be tanh's.",
            "delta = (1 - a^2) * W^T delta  for  f'(z) * W^T delta",
            f"{POSTED.format('000')}; of the output layer, 002",
            "hidden",
            _slope_of_other,
            named="any",
        ),
        "slope_one_at_kink": Defect(
            "ReLU's slope at z = 0 is taken to be 1, by h < 0 where h <= 0 is usual.",
            "f'(0) = 1  for  f'(0) = 0",
            POSTED.format("001"),
            "hidden",
            one_at_kink,
            _no_kink,
        ),
        "loss_gradient_sign": Defect(
            "The two terms of the cross-entropy's gradient are added where they are subtracted.",
            "dL/da = -(y/a + (1 - y)/(1 - a))  for  -(y/a - (1 - y)/(1 - a))",
            POSTED.format("002"),
            "output",
            _loss_gradient(sign=1.0),
            _not_cross_entropy,
        ),
        "loss_gradient_parentheses": Defect(
            "The second term of the cross-entropy's gradient lacks its parentheses.",
            "dL/da = -(y/a - (1 - y/1 - a))  for  -(y/a - (1 - y)/(1 - a))",
            POSTED.format("002"),
            "output",
            _loss_gradient(grouped=False),
            _not_cross_entropy,
        ),
        "missing_output_derivative": Defect(
            "The delta of the output layer is a - y, without the slope its loss needs.",
            "delta = a - y  for  (a - y) * f'(z)",
            f"{POSTED.format('000')}, with a ReLU output",
            "output",
            _output_slope_left_out,
            _delta_is_the_error,
        ),
        "missing_hidden_derivative": Defect(
            "dL/da of a hidden layer is used as dL/dz: delta = W^T delta for f'(z) W^T delta.",
            "delta = W^T delta  for  f'(z) * W^T delta",
            SEEN,
            "hidden",
            _slope_left_out,
        ),
        "leaky_slope_mismatch": Defect(
            "The slope on the negative side is 0.01 where the activation is 0, or the reverse.",
            "f'(z) = 0.01  for  0,  or  0  for  0.01,  at z < 0",
            SEEN,
            "hidden",
            _other_negative_side,
            _not_piecewise_linear,
        ),
        "upstream_discarded": Defect(
            "The slope replaces the incoming gradient: delta = f'(z) for f'(z) W^T delta.",
            "delta = f'(z)  for  f'(z) * W^T delta",
            SEEN,
            "hidden",
            _upstream_discarded,
        ),
        "error_propagated_without_slope": Defect(
            "The error goes down through the weights before it is multiplied by the layer's slope.",
            "dL/dx = W^T dL/da  for  W^T (f'(z) * dL/da)",
            POSTED.format("004"),
            "above",
            error_without_slope,
            has_no_parts,
        ),
        "bias_grad_mean_instead_of_sum": Defect(
            "db is divided once more by m.",
            "db = 1/m sum delta  for  sum delta",
            SEEN,
            "any",
            _bias_mean,
            _no_bias,
        ),
        "missing_batch_mean": Defect(
            "The 1/m of the loss is left out of the gradients.",
            "dW = delta x^T  for  1/m delta x^T",
            SEEN,
            "output",
            _scaled_delta(lambda layer: float(layer.samples)),
            _sums_over_samples,
        ),
        "extra_batch_mean": Defect(
            "The gradients are divided by m once more than the loss.",
            "dW = 1/m^2 delta x^T  for  1/m delta x^T",
            SEEN,
            "output",
            _scaled_delta(lambda layer: 1.0 / layer.samples),
        ),
        "sign_error": Defect(
            "dW and db have the wrong sign.",
            "dW = -delta x^T  for  delta x^T",
            SEEN,
            "any",
            _sign_error,
        ),
        "weights_updated_before_backprop": Defect(
            "A layer is stepped before the layers below use it: (W - lr dW)^T delta for W^T delta.",
            "dL/dx = (W - lr dW)^T delta  for  W^T delta",
            SEEN,
            "above",
            _weights_updated_first,
            _not_plain_sgd,
        ),
        "inplace_derivative_overwrites_cache": Defect(
            "The slope helper writes over the cached a, which the layer above reads for its dW.",
            "dW = delta f'(z)^T  for  delta a^T",
            f"{POSTED.format('000')}, with its statements in another order",
            "hidden",
            _slope_into_cache,
        ),
        "inplace_derivative_after_use": Defect(
            "The slope helper writes over the cached a after the layer above has read it.",
            "a = f'(z)  once  dW = delta a^T  is taken",
            POSTED.format("000"),
            "hidden",
            slope_into_cache_late,
        ),
        "cache_used_twice": Defect(
            "Backprop goes twice through one forward pass, and the second gradients are used.",
            "dW = delta a'^T  for  delta a^T,  a' what a first pass backward has left of a",
            f"{POSTED.format('000')}, in code that is not shown",
            "output",
            backward_twice,
        ),
    }
)


def _allowed_layers(place: str, layers: int) -> range:
    return {
        "hidden": range(1, layers),
        "output": range(layers, layers + 1),
        "above": range(2, layers + 1),
        "any": range(1, layers + 1),
    }[place]


def parse_defect(text: str, layers: int) -> tuple[str, tuple[int, ...]]:
    """Read `name` or `name@layer`.

    Args:
        text: as typed.
        layers: number of layers with weights; `@-1` is the last of them.

    Returns:
        The name and the layers it is made in, from 1.

    Raises:
        ValueError: unknown name, or a layer that it cannot be made in.
    """
    name, at, where = text.partition("@")
    defect = lookup(DEFECTS, "defects", name)
    if not at:
        return name, tuple(_allowed_layers(defect.place, layers))
    allowed = _allowed_layers(defect.named or defect.place, layers)
    try:
        number = int(where)
    except ValueError:
        number = 0
    number = layers + 1 + number if number < 0 else number
    if number not in allowed:
        fits = ", ".join(map(str, allowed)) or "no layer of this network"
        msg = f"`defects` must name a layer that {name} can be made in, here {fits}; got {text}."
        raise ValueError(msg)
    return name, (number,)


def canonical_defects(defects: Sequence[str], layers: int) -> tuple[str, ...]:
    """Return the same defects as `name` or `name@layer`, in the catalogue's order, each once."""
    placed = dict.fromkeys(DEFECTS, frozenset[int]())
    for text in defects:
        name, where = parse_defect(text, layers)
        placed[name] |= frozenset(where)
    canonical = []
    for name, numbers in placed.items():
        usual = frozenset(_allowed_layers(DEFECTS[name].place, layers))
        if usual and usual <= numbers:
            canonical.append(name)
            numbers -= usual
        canonical += [f"{name}@{k}" for k in sorted(numbers)]
    return tuple(canonical)


def check_defects(defects: Sequence[str], spec: StackSpec) -> None:
    """Refuse defects that this stack cannot have.

    Raises:
        ValueError: with the reason.
    """
    for text in defects:
        name, where = parse_defect(text, spec.layers)
        reason = DEFECTS[name].refusal(spec)
        if not reason and DEFECTS[name].named and spec.layers in where:
            reason = has_no_parts(spec)
        if not reason and not where:
            reason = f"this network has no {DEFECTS[name].place} layer for it"
        if reason:
            msg = f"`defects` must fit the network; got {text}: {reason}."
            raise ValueError(msg)


def apply_defects(spec: StackSpec, layers: Sequence[Layer]) -> list[Rules]:
    """Return the rules of each layer with the stack's defects put in, in catalogue order."""
    rules = [layer.rules for layer in layers]
    for text in canonical_defects(spec.defects, len(layers)):
        name, where = parse_defect(text, len(layers))
        for number in where:
            layer = layers[number - 1]
            rules[number - 1] = DEFECTS[name].replaced(rules[number - 1], layer, spec)
    return rules
