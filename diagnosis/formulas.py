"""Activations and output units that people write, as plain formulas of arrays.

Those that sweeps can train with are `bpcore`'s own; the others are only ever recognized. Arrays
are `(points, samples, units)`; units are the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bpcore.activations import ACTIVATIONS, Formula
from diagnosis.calls import Array

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Unit:
    """An activation: its value, and its slope as a formula of `z` and, if there is one, of `a`."""

    value: Function
    slope_at_z: Function
    slope_at_a: Function | None = None
    leak: float | None = None


def _plain(formula: Formula) -> Function:
    def function(v: Array) -> Array:
        out = np.empty_like(v, dtype=float)
        formula(np.asarray(v, float), out)
        return out

    return function


def _of_core(name: str) -> Unit:
    known = ACTIVATIONS[name]
    at_a = known.slope_at_a
    return Unit(_plain(known.value), _plain(known.slope_at_z), _plain(at_a) if at_a else None)


def leaky(alpha: float) -> Unit:
    """`f(z) = z if z > 0 else alpha z`."""
    return Unit(
        lambda z: np.where(z > 0, z, alpha * z),
        lambda z: np.where(z > 0, 1.0, alpha),
        lambda a: np.where(a > 0, 1.0, alpha),
        alpha,
    )


def _erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[float])(x))


def _normal_density(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def sigmoid(z: Array) -> Array:
    """`1 / (1 + e^-z)`, by tanh, which does not overflow."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


def _elu(alpha: float, scale: float) -> Unit:
    """`scale (z if z > 0 else alpha (e^z - 1))`. Klambauer et al., NIPS 2017, eq. 2."""
    return Unit(
        lambda z: scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda z: scale * np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0))),
        lambda a: np.where(a > 0, scale, a + scale * alpha),
    )


def _mish_slope(z: Array) -> Array:
    t, s = np.tanh(np.logaddexp(0, z)), sigmoid(z)
    return np.asarray(t + z * s * (1 - t * t))


def _clipped(low: float, high: float, rise: float = 1.0, shift: float = 0.0) -> Unit:
    return Unit(
        lambda z: np.clip(rise * z + shift, low, high),
        lambda z: rise * ((rise * z + shift > low) & (rise * z + shift < high)),
        lambda a: rise * ((a > low) & (a < high)),
    )


SELU = (1.6732632423543772, 1.0507009873554805)
_COMMON = ("relu", "sigmoid", "tanh", "identity", "leaky_relu")
_RARE = ("elu", "softplus", "gelu", "silu", "softsign")

UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        "relu": leaky(0.0),
        **{name: _of_core(name) for name in _COMMON if name not in ("relu", "leaky_relu")},
        "leaky_relu": leaky(0.01),
        **{name: _of_core(name) for name in _RARE},
        "leaky_relu(0.1)": leaky(0.1),
        "leaky_relu(0.2)": leaky(0.2),
        "leaky_relu(0.05)": leaky(0.05),
        "leaky_relu(0.3)": leaky(0.3),
        "leaky_relu(0.02)": leaky(0.02),
        "leaky_relu(0.001)": leaky(0.001),
        "selu": _elu(*SELU),
        "gelu_erf": Unit(
            lambda z: 0.5 * z * (1 + _erf(z / math.sqrt(2))),
            lambda z: 0.5 * (1 + _erf(z / math.sqrt(2))) + z * _normal_density(z),
        ),
        "gelu_sigmoid": Unit(
            lambda z: z * sigmoid(1.702 * z),
            lambda z: sigmoid(1.702 * z) * (1 + 1.702 * z * (1 - sigmoid(1.702 * z))),
        ),
        "mish": Unit(lambda z: z * np.tanh(np.logaddexp(0, z)), _mish_slope),
        "arctan": Unit(np.arctan, lambda z: 1 / (1 + z * z), lambda a: np.cos(a) ** 2),
        "sine": Unit(np.sin, np.cos),
        "cosine": Unit(np.cos, lambda z: -np.sin(z)),
        "gaussian": Unit(lambda z: np.exp(-z * z), lambda z: -2 * z * np.exp(-z * z)),
        "square": Unit(lambda z: z * z, lambda z: 2 * z),
        "cube": Unit(lambda z: z**3, lambda z: 3 * z * z),
        "squared_relu": Unit(lambda z: np.maximum(z, 0) ** 2, lambda z: 2 * np.maximum(z, 0)),
        "hard_swish": Unit(
            lambda z: z * np.clip(z + 3, 0, 6) / 6,
            lambda z: np.where(z < -3, 0.0, np.where(z > 3, 1.0, (2 * z + 3) / 6)),
        ),
        "tanh_shrink": Unit(lambda z: z - np.tanh(z), lambda z: np.tanh(z) ** 2),
        "exponential": Unit(np.exp, np.exp, lambda a: a),
        "relu6": _clipped(0.0, 6.0),
        "hard_tanh": _clipped(-1.0, 1.0),
        "hard_sigmoid": _clipped(0.0, 1.0, 0.2, 0.5),
        "hardsigmoid(1/6)": _clipped(0.0, 1.0, 1 / 6, 0.5),
        "lecun_tanh": Unit(
            lambda z: 1.7159 * np.tanh(2 / 3 * z),
            lambda z: 1.7159 * 2 / 3 * (1 - np.tanh(2 / 3 * z) ** 2),
            lambda a: 2 / 3 * (1.7159 - a * a / 1.7159),
        ),
        "bipolar_sigmoid": Unit(
            lambda z: np.tanh(0.5 * z),
            lambda z: 0.5 * (1 - np.tanh(0.5 * z) ** 2),
            lambda a: 0.5 * (1 - a * a),
        ),
    }
)

# Formulas that appear as slopes in programs, each with what it is the slope of and of which
# variable it is the formula. The value formulas are there because they are taken for slopes too.
SLOPES: Mapping[tuple[str, str], Function] = MappingProxyType(
    {
        **{(name, "z"): unit.slope_at_z for name, unit in UNITS.items() if name != "identity"},
        **{
            (name, "a"): unit.slope_at_a
            for name, unit in UNITS.items()
            if unit.slope_at_a
            and name
            in (
                "sigmoid",
                "tanh",
                "softsign",
                "elu",
                "softplus",
                "selu",
                "lecun_tanh",
                "bipolar_sigmoid",
                "arctan",
            )
        },
        **{(name, "value"): UNITS[name].value for name in ("sigmoid", "tanh", "relu", "softplus")},
    }
)


@dataclass(frozen=True)
class Output:
    """An output unit.

    Attributes:
        value: `a` from `z`.
        back: `dL/dz` from `(z, a, dL/da)`.
        unit: for an elementwise output, its activation.
        axis: for softmax, what it is normalized over: "units", "samples" or "everything".
    """

    value: Function
    back: Callable[[Array, Array, Array], Array]
    unit: Unit | None = None
    axis: str | None = None


def _elementwise(unit: Unit) -> Output:
    return Output(unit.value, lambda z, a, g: g * unit.slope_at_z(z), unit)  # noqa: ARG005


def _softmax(axes: tuple[int, ...], axis: str) -> Output:
    def value(z: Array) -> Array:
        e = np.exp(z - np.max(z, axis=axes, keepdims=True))
        return np.asarray(e / np.sum(e, axis=axes, keepdims=True))

    def back(z: Array, a: Array, g: Array) -> Array:  # noqa: ARG001
        return np.asarray(a * (g - np.sum(a * g, axis=axes, keepdims=True)))

    return Output(value, back, None, axis)


_OUTPUT_UNITS = ("sigmoid", "identity", "tanh", "relu", "leaky_relu", "softplus", "softsign",
                 "exponential", "elu", "leaky_relu(0.1)", "leaky_relu(0.2)", "silu", "gelu",
                 "lecun_tanh", "bipolar_sigmoid", "hard_sigmoid", "arctan", "sine")  # fmt: skip
OUTPUTS: Mapping[str, Output] = MappingProxyType(
    {
        "softmax": _softmax((-1,), "units"),
        **{name: _elementwise(UNITS[name]) for name in _OUTPUT_UNITS},
        "softmax_over_samples": _softmax((-2,), "samples"),
        "softmax_over_everything": _softmax((-2, -1), "everything"),
    }
)
