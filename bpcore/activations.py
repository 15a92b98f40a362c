"""Activations and their slopes, each as formulas of one array.

A slope has two textbook forms: as a function of the pre-activation `z` and, for many activations,
as a function of the activation `a`. Both stand in the table, because confusing them is the
most common mistake in hand-written backprop, and because the second one is cheaper.

Every function takes an array of any shape and writes into `out` of the same shape and dtype, which
must not share memory with the argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import buffers

Array = NDArray[Any]
Formula = Callable[[Array, Array], None]

LEAK = 0.01
FLOOR = 0.01
_UNSIGNED = {4: np.uint32, 8: np.uint64}
_ONE_BITS = {4: np.float32(1).view(np.uint32), 8: np.float64(1).view(np.uint64)}
_GELU_CUBIC = 0.044715


@dataclass(frozen=True)
class Activation:
    """One activation: its value, its slope in both forms, and what is known about it.

    Attributes:
        value: `a = f(z)`.
        slope_at_z: `f'(z)` as a function of `z`.
        slope_at_a: `f'(z)` as a function of `a = f(z)`; None where `f` is not monotone.
        initializer: the usual initializer for hidden layers of this activation.
        kinks: the `z` at which the slope jumps.
        saturation: `(low, high)`; an activation outside has a slope below 1 % of the largest one.
            None for activations that are unbounded on a side.
        in_place: whether `value` may write over its argument.
        keeps_one: whether `f(1) = 1`.
        slope_at_positive_zero: a cheaper `slope_at_a` that holds where `a` is never -0.0.
    """

    value: Formula
    slope_at_z: Formula
    slope_at_a: Formula | None
    initializer: str
    kinks: tuple[float, ...] = ()
    saturation: tuple[float, float] | None = None
    in_place: bool = False
    keeps_one: bool = False
    slope_at_positive_zero: Formula | None = None


@lru_cache(maxsize=64)
def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Zeros to compare with: against a scalar, `np.maximum` takes two to three times as long."""
    compared = buffers.zeros(shape, dtype)
    compared.flags.writeable = False
    return compared


def zeros_like(v: Array) -> Array:
    """Return zeros of the shape and dtype of `v`, to be read only."""
    return _zeros(v.shape, v.dtype)


def identity(z: Array, out: Array) -> None:
    """`f(z) = z`."""
    np.copyto(out, z)


def ones(v: Array, out: Array) -> None:  # noqa: ARG001 - the slope of the identity reads nothing
    """`f' = 1`, the slope of the identity in either form."""
    out.fill(1.0)


def relu(z: Array, out: Array) -> None:
    """`f(z) = max(z, 0)`. Nair & Hinton, "Rectified linear units improve RBMs", ICML 2010."""
    np.maximum(z, zeros_like(z), out=out)


def positive(v: Array, out: Array) -> None:
    """`1 if v > 0 else 0`: ReLU's slope in either form, with 0 at the kink as is usual."""
    np.greater(v, zeros_like(v), out=out, casting="unsafe")


def positive_bits(a: Array, out: Array) -> None:
    """`1 if a > 0 else 0` for `a >= +0.0` or NaN, from the bits: a third of the time of comparing.

    As unsigned integers, +0.0 is 0 and every other such number is more. The sign of that is 0 or 1;
    multiplied with the bits of 1.0 it becomes 0.0 or 1.0.
    """
    bits = _UNSIGNED[a.dtype.itemsize]
    target = out.view(bits)
    np.sign(a.view(bits), out=target)
    target *= _ONE_BITS[a.dtype.itemsize]


def leaky_relu(z: Array, out: Array) -> None:
    """`f(z) = max(z, 0.01 z)`. Maas et al., ICML 2013 workshop, section 2."""
    np.multiply(z, LEAK, out=out)
    np.maximum(z, out, out=out)


def leaky_relu_slope(v: Array, out: Array) -> None:
    """`1 if v > 0 else 0.01`, in either form."""
    positive(v, out)
    out *= 1 - LEAK
    out += LEAK


def floored_relu(z: Array, out: Array) -> None:
    """`f(z) = max(z, 0.01)`: advised on forums against ReLU's kink at 0, which it moves to 0.01."""
    np.maximum(z, FLOOR, out=out)


def floored_relu_slope(v: Array, out: Array) -> None:
    """`1 if v > 0.01 else 0`, in either form."""
    np.greater(v, FLOOR, out=out, casting="unsafe")


def elu(z: Array, out: Array) -> None:
    """`f(z) = z if z > 0 else e^z - 1`. Clevert et al., ICLR 2016, eq. 14 with alpha = 1."""
    np.minimum(z, zeros_like(z), out=out)
    np.expm1(out, out=out)
    out += np.maximum(z, zeros_like(z))


def elu_slope_at_z(z: Array, out: Array) -> None:
    """`f'(z) = 1 if z > 0 else e^z`."""
    np.minimum(z, zeros_like(z), out=out)
    np.exp(out, out=out)


def elu_slope_at_a(a: Array, out: Array) -> None:
    """`f' = 1 if a > 0 else a + 1`."""
    np.minimum(a, zeros_like(a), out=out)
    out += 1.0


def sigmoid(z: Array, out: Array) -> None:
    """`f(z) = 1 / (1 + e^-z)`, as `tanh(z/2)/2 + 1/2`, which cannot overflow and is faster."""
    np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    out *= 0.5
    out += 0.5


def sigmoid_slope_at_a(a: Array, out: Array) -> None:
    """`f' = a (1 - a)`."""
    np.subtract(1.0, a, out=out)
    out *= a


def sigmoid_slope_at_z(z: Array, out: Array) -> None:
    """`f'(z) = f(z) (1 - f(z))`."""
    a = np.empty_like(z)
    sigmoid(z, a)
    sigmoid_slope_at_a(a, out)


def softplus(z: Array, out: Array) -> None:
    """`f(z) = log(1 + e^z)`, as `max(z, 0) + log(1 + e^-|z|)`, which cannot overflow."""
    np.abs(z, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    out += np.maximum(z, zeros_like(z))


def softplus_slope_at_a(a: Array, out: Array) -> None:
    """`f' = 1 - e^-a`."""
    np.negative(a, out=out)
    np.expm1(out, out=out)
    np.negative(out, out=out)


def _gelu_tanh(z: Array) -> Array:
    return np.tanh(math.sqrt(2 / math.pi) * (z + _GELU_CUBIC * z * z * z))


def gelu(z: Array, out: Array) -> None:
    """`f(z) = z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))`.

    The tanh form of Hendrycks & Gimpel, "Gaussian error linear units", 2016, section 2; it is
    within 5e-4 of `z Phi(z)`. NumPy has no error function.
    """
    np.multiply(0.5 * z, 1.0 + _gelu_tanh(z), out=out)


def gelu_slope(z: Array, out: Array) -> None:
    """The exact derivative of the tanh form."""
    t = _gelu_tanh(z)
    # Beyond 10, 1 - t^2 is exactly 0, and z^2 must not overflow against it.
    near = np.clip(z, -10.0, 10.0)
    inner = math.sqrt(2 / math.pi) * (1.0 + 3 * _GELU_CUBIC * near * near)
    np.add(0.5 * (1.0 + t), 0.5 * near * (1.0 - t * t) * inner, out=out)


def silu(z: Array, out: Array) -> None:
    """`f(z) = z sigmoid(z)`. Elfwing et al., Neural Networks 107, 2018, eq. 2."""
    sigmoid(z, out)
    out *= z


def silu_slope(z: Array, out: Array) -> None:
    """`f'(z) = s (1 + z (1 - s))` with `s = sigmoid(z)`."""
    s = np.empty_like(z)
    sigmoid(z, s)
    np.multiply(s, 1.0 + z * (1.0 - s), out=out)


def tanh(z: Array, out: Array) -> None:
    """`f(z) = (e^z - e^-z) / (e^z + e^-z)`."""
    np.tanh(z, out=out)


def tanh_slope_at_a(a: Array, out: Array) -> None:
    """`f' = 1 - a^2`."""
    np.multiply(a, a, out=out)
    np.subtract(1.0, out, out=out)


def tanh_slope_at_z(z: Array, out: Array) -> None:
    """`f'(z) = 1 - tanh(z)^2`."""
    a = np.tanh(z)
    tanh_slope_at_a(a, out)


def softsign(z: Array, out: Array) -> None:
    """`f(z) = z / (1 + |z|)`. Bergstra et al., Université de Montréal TR 1337, 2009."""
    np.abs(z, out=out)
    out += 1.0
    np.divide(z, out, out=out)


def softsign_slope_at_z(z: Array, out: Array) -> None:
    """`f'(z) = 1 / (1 + |z|)^2`."""
    np.abs(z, out=out)
    out += 1.0
    np.multiply(out, out, out=out)
    np.divide(1.0, out, out=out)


def softsign_slope_at_a(a: Array, out: Array) -> None:
    """`f' = (1 - |a|)^2`."""
    np.abs(a, out=out)
    np.subtract(1.0, out, out=out)
    np.multiply(out, out, out=out)


# Where the slope falls below 1 % of its largest value: tanh 1 - a^2 = 0.01, sigmoid
# a (1 - a) = 0.0025, softsign (1 - |a|)^2 = 0.01.
_TANH_SATURATED = math.sqrt(0.99)
_SIGMOID_SATURATED = (1 + math.sqrt(0.99)) / 2

ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "relu": Activation(
            relu,
            positive,
            positive,
            "he_normal",
            kinks=(0.0,),
            in_place=True,
            keeps_one=True,
            slope_at_positive_zero=positive_bits,
        ),
        "leaky_relu": Activation(
            leaky_relu, leaky_relu_slope, leaky_relu_slope, "he_normal", kinks=(0.0,)
        ),
        "floored_relu": Activation(
            floored_relu, floored_relu_slope, floored_relu_slope, "he_normal", kinks=(FLOOR,)
        ),
        "elu": Activation(elu, elu_slope_at_z, elu_slope_at_a, "he_normal"),
        "softplus": Activation(softplus, sigmoid, softplus_slope_at_a, "he_normal"),
        "gelu": Activation(gelu, gelu_slope, None, "he_normal"),
        "silu": Activation(silu, silu_slope, None, "he_normal"),
        "tanh": Activation(
            tanh,
            tanh_slope_at_z,
            tanh_slope_at_a,
            "glorot_uniform",
            saturation=(-_TANH_SATURATED, _TANH_SATURATED),
            in_place=True,
        ),
        "softsign": Activation(
            softsign,
            softsign_slope_at_z,
            softsign_slope_at_a,
            "glorot_uniform",
            saturation=(-0.9, 0.9),
        ),
        "sigmoid": Activation(
            sigmoid,
            sigmoid_slope_at_z,
            sigmoid_slope_at_a,
            "glorot_uniform",
            saturation=(1 - _SIGMOID_SATURATED, _SIGMOID_SATURATED),
            in_place=True,
        ),
        "identity": Activation(
            identity, ones, ones, "glorot_uniform", in_place=True, keeps_one=True
        ),
    }
)
