"""Initial weights, drawn from a generator that is handed in.

Every function returns a `(fan_out, fan_in)` float64 array drawn at scale 1; the run's `init_scale`
multiplies it, so that it is the standard deviation of `normal`, the half-width of `uniform`, the
value of `constant` and a gain on all others. Two runs that differ in scale alone share
their draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from bpcore.activations import Array

Draw = Callable[[int, int, Generator], Array]


def _gaussian(fan_in: int, fan_out: int, rng: Generator, deviation: float) -> Array:
    return deviation * rng.standard_normal((fan_out, fan_in))


def _flat(fan_in: int, fan_out: int, rng: Generator, half_width: float) -> Array:
    return rng.uniform(-half_width, half_width, (fan_out, fan_in))


def normal(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw normal weights of standard deviation 1."""
    return _gaussian(fan_in, fan_out, rng, 1.0)


def uniform(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw weights between -1 and 1; the run's `init_low` and `init_high` move the ends."""
    return _flat(fan_in, fan_out, rng, 1.0)


def glorot_normal(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw normal weights of standard deviation `sqrt(2 / (fan_in + fan_out))`.

    Source:
        Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
        networks", AISTATS 2010, eq. 12.
    """
    return _gaussian(fan_in, fan_out, rng, math.sqrt(2 / (fan_in + fan_out)))


def glorot_uniform(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw uniform weights of half-width `sqrt(6 / (fan_in + fan_out))`.

    Source:
        Glorot & Bengio, AISTATS 2010, eq. 16.
    """
    return _flat(fan_in, fan_out, rng, math.sqrt(6 / (fan_in + fan_out)))


def he_normal(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw weights that keep the second moment of ReLU activations constant.

    Returns:
        `(fan_out, fan_in)` normal draws with standard deviation `sqrt(2 / fan_in)`.

    Source:
        He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10.
    """
    return _gaussian(fan_in, fan_out, rng, math.sqrt(2 / fan_in))


def he_uniform(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw uniform weights of the variance of `he_normal`: half-width `sqrt(6 / fan_in)`."""
    return _flat(fan_in, fan_out, rng, math.sqrt(6 / fan_in))


def lecun_normal(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw normal weights of standard deviation `sqrt(1 / fan_in)`.

    Source:
        LeCun et al., "Efficient BackProp", 1998, eq. 16.
    """
    return _gaussian(fan_in, fan_out, rng, math.sqrt(1 / fan_in))


def orthogonal(fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Draw a matrix with orthonormal rows or columns, whichever are fewer.

    Source:
        Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear
        neural networks", ICLR 2014. Uniform over such matrices once the signs of R's diagonal
        are made positive: Mezzadri, Notices of the AMS 54, 2007, section 5.
    """
    tall = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diagonal(r))
    return q if fan_out >= fan_in else q.T.copy()


def constant(fan_in: int, fan_out: int, rng: Generator) -> Array:  # noqa: ARG001
    """Return ones, so that `init_scale` is the value: units that start equal stay equal."""
    return np.ones((fan_out, fan_in))


def zeros(fan_in: int, fan_out: int, rng: Generator) -> Array:  # noqa: ARG001
    """Return zeros."""
    return np.zeros((fan_out, fan_in))


@dataclass(frozen=True)
class Initializer:
    """How weights are drawn, and how biases are where `bias_scale` is not 0.

    Attributes:
        weights: draws the weights of a layer at scale 1.
        bias: draws `size` biases at scale 1, like a single weight of `normal`, `uniform` or
            `constant`; standard normal for initializers whose scale comes from the fan.
    """

    weights: Draw
    bias: Callable[[int, Generator], Array]


def _normal_bias(size: int, rng: Generator) -> Array:
    return rng.standard_normal(size)


def _uniform_bias(size: int, rng: Generator) -> Array:
    return rng.uniform(-1.0, 1.0, size)


def _constant_bias(size: int, rng: Generator) -> Array:  # noqa: ARG001
    return np.ones(size)


INITIALIZERS: Mapping[str, Initializer] = MappingProxyType(
    {
        "normal": Initializer(normal, _normal_bias),
        "uniform": Initializer(uniform, _uniform_bias),
        "glorot_normal": Initializer(glorot_normal, _normal_bias),
        "glorot_uniform": Initializer(glorot_uniform, _normal_bias),
        "he_normal": Initializer(he_normal, _normal_bias),
        "he_uniform": Initializer(he_uniform, _normal_bias),
        "lecun_normal": Initializer(lecun_normal, _normal_bias),
        "orthogonal": Initializer(orthogonal, _normal_bias),
        "constant": Initializer(constant, _constant_bias),
        "zeros": Initializer(zeros, _normal_bias),
    }
)
