"""The catalogue of defects that networks can be trained with.

A defect replaces rules of a layer and nothing else: the healthy path has no case for it. Names are
those of the vocabulary that diagnosis uses. `name` applies to every layer it can apply to,
`name@2` to one: layers are numbered from 1 as in W1, and -1 is the output layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from bpcore import wrong_deltas, wrong_slopes
from bpcore.mistakes import Replace, has_no_parts
from bpcore.rules import Rules
from bpcore.tables import lookup

if TYPE_CHECKING:
    from bpcore.spec import StackSpec
    from bpcore.stack import Layer


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


POSTED = "forum post reproduced in conf/case/{}.yaml"
SEEN = "hand-written programs on forums; no one post"
DEFECTS: Mapping[str, Defect] = MappingProxyType(
    {
        "derivative_at_activation": Defect(
            "The slope formula for z is applied to a: f'(a) for f'(z).",
            "delta = f'(a) * W^T delta  for  f'(z) * W^T delta",
            POSTED.format("000"),
            "hidden",
            wrong_slopes.slope_at_activation,
        ),
        "derivative_at_preactivation": Defect(
            "The slope formula for a is applied to z: for tanh 1 - z^2 for 1 - a^2.",
            "delta = (1 - z^2) * W^T delta  for  (1 - a^2) * W^T delta",
            POSTED.format("002"),
            "hidden",
            wrong_slopes.slope_at_preactivation,
            wrong_slopes.no_slope_at_activation,
            named="any",
        ),
        "derivative_of_other_activation": Defect(
            "The slope of another function is taken: tanh's, or ReLU's where it should be tanh's.",
            "delta = (1 - a^2) * W^T delta  for  f'(z) * W^T delta",
            f"{POSTED.format('000')}; of the output layer, 002",
            "hidden",
            wrong_slopes.slope_of_other,
            named="any",
        ),
        "slope_one_at_kink": Defect(
            "ReLU's slope at z = 0 is taken to be 1, by h < 0 where h <= 0 is usual.",
            "f'(0) = 1  for  f'(0) = 0",
            POSTED.format("001"),
            "hidden",
            wrong_slopes.one_at_kink,
            wrong_slopes.no_kink,
        ),
        "loss_gradient_sign": Defect(
            "The two terms of the cross-entropy's gradient are added where they are subtracted.",
            "dL/da = -(y/a + (1 - y)/(1 - a))  for  -(y/a - (1 - y)/(1 - a))",
            POSTED.format("002"),
            "output",
            wrong_deltas.loss_gradient(sign=1.0),
            wrong_deltas.not_cross_entropy,
        ),
        "loss_gradient_parentheses": Defect(
            "The second term of the cross-entropy's gradient lacks its parentheses.",
            "dL/da = -(y/a - (1 - y/1 - a))  for  -(y/a - (1 - y)/(1 - a))",
            POSTED.format("002"),
            "output",
            wrong_deltas.loss_gradient(grouped=False),
            wrong_deltas.not_cross_entropy,
        ),
        "missing_output_derivative": Defect(
            "The delta of the output layer is a - y, without the slope its loss needs.",
            "delta = a - y  for  (a - y) * f'(z)",
            f"{POSTED.format('000')}, with a ReLU output",
            "output",
            wrong_deltas.output_slope_left_out,
            wrong_deltas.delta_is_the_error,
        ),
        "missing_hidden_derivative": Defect(
            "dL/da of a hidden layer is used as dL/dz: delta = W^T delta for f'(z) W^T delta.",
            "delta = W^T delta  for  f'(z) * W^T delta",
            SEEN,
            "hidden",
            wrong_slopes.slope_left_out,
        ),
        "leaky_slope_mismatch": Defect(
            "The slope on the negative side is 0.01 where the activation is 0, or the reverse.",
            "f'(z) = 0.01  for  0,  or  0  for  0.01,  at z < 0",
            SEEN,
            "hidden",
            wrong_slopes.other_negative_side,
            wrong_slopes.not_piecewise_linear,
        ),
        "upstream_discarded": Defect(
            "The slope replaces the incoming gradient: delta = f'(z) for f'(z) W^T delta.",
            "delta = f'(z)  for  f'(z) * W^T delta",
            SEEN,
            "hidden",
            wrong_slopes.upstream_discarded,
        ),
        "error_propagated_without_slope": Defect(
            "The error goes down through the weights before it is multiplied by the layer's slope.",
            "dL/dx = W^T dL/da  for  W^T (f'(z) * dL/da)",
            POSTED.format("004"),
            "above",
            wrong_deltas.error_without_slope,
            has_no_parts,
        ),
        "bias_grad_mean_instead_of_sum": Defect(
            "db is divided once more by m.",
            "db = 1/m sum delta  for  sum delta",
            SEEN,
            "any",
            wrong_deltas.bias_mean,
            wrong_deltas.no_bias,
        ),
        "missing_batch_mean": Defect(
            "The 1/m of the loss is left out of the gradients.",
            "dW = delta x^T  for  1/m delta x^T",
            SEEN,
            "output",
            wrong_deltas.scaled_delta(lambda layer: float(layer.samples)),
            wrong_deltas.sums_over_samples,
        ),
        "extra_batch_mean": Defect(
            "The gradients are divided by m once more than the loss.",
            "dW = 1/m^2 delta x^T  for  1/m delta x^T",
            SEEN,
            "output",
            wrong_deltas.scaled_delta(lambda layer: 1.0 / layer.samples),
        ),
        "sign_error": Defect(
            "dW and db have the wrong sign.",
            "dW = -delta x^T  for  delta x^T",
            SEEN,
            "any",
            wrong_deltas.sign_error,
        ),
        "weights_updated_before_backprop": Defect(
            "A layer is stepped before the layers below use it: (W - lr dW)^T delta for W^T delta.",
            "dL/dx = (W - lr dW)^T delta  for  W^T delta",
            SEEN,
            "above",
            wrong_deltas.weights_updated_first,
            wrong_deltas.not_plain_sgd,
        ),
        "inplace_derivative_overwrites_cache": Defect(
            "The slope helper writes over the cached a, which the layer above reads for its dW.",
            "dW = delta f'(z)^T  for  delta a^T",
            f"{POSTED.format('000')}, with its statements in another order",
            "hidden",
            wrong_slopes.slope_into_cache,
        ),
        "inplace_derivative_after_use": Defect(
            "The slope helper writes over the cached a after the layer above has read it.",
            "a = f'(z)  once  dW = delta a^T  is taken",
            POSTED.format("000"),
            "hidden",
            wrong_slopes.slope_into_cache_late,
        ),
        "cache_used_twice": Defect(
            "Backprop goes twice through one forward pass, and the second gradients are used.",
            "dW = delta a'^T  for  delta a^T,  a' what a first pass backward has left of a",
            f"{POSTED.format('000')}, in code that is not shown",
            "output",
            wrong_deltas.backward_twice,
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
