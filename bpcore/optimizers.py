"""Optimizers: what a step does with a gradient, on flat `(R, P)` arrays.

An update takes the parameters `p`, the gradient `g` (which it may overwrite), a learning rate for
every entry, its state arrays and the number of the step (from 1). Weight decay was added to
`g` before, as the gradient of a penalty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bpcore.activations import Array


@dataclass(frozen=True)
class Hyper:
    """Constants of the optimizers that a stack shares."""

    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


Update = Callable[[Array, Array, Array, list[Array], int, Hyper], None]


def sgd(p: Array, g: Array, lr: Array, state: list[Array], t: int, h: Hyper) -> None:  # noqa: ARG001
    """`p -= lr g`."""
    g *= lr
    p -= g


def momentum(p: Array, g: Array, lr: Array, state: list[Array], t: int, h: Hyper) -> None:  # noqa: ARG001
    """`v = mu v - lr g; p += v`. Polyak 1964; here Sutskever et al., ICML 2013, eq. 1-2."""
    (v,) = state
    v *= h.momentum
    g *= lr
    v -= g
    p += v


def nesterov(p: Array, g: Array, lr: Array, state: list[Array], t: int, h: Hyper) -> None:  # noqa: ARG001
    """`v = mu v - lr g; p += mu v - lr g`.

    Source:
        Sutskever et al., ICML 2013, eq. 3-4, with `p` standing for the look-ahead point, as in
        Bengio et al., "Advances in optimizing recurrent networks", ICASSP 2013, eq. 7.
    """
    (v,) = state
    g *= lr
    v *= h.momentum
    v -= g
    p -= g
    np.multiply(v, h.momentum, out=g)
    p += g


def rmsprop(p: Array, g: Array, lr: Array, state: list[Array], t: int, h: Hyper) -> None:  # noqa: ARG001
    """`s = b s + (1 - b) g^2; p -= lr g / (sqrt(s) + eps)`. Hinton, Coursera lecture 6e, 2012."""
    s, work = state
    _average_of_squares(s, g, h.beta2, work)
    np.sqrt(s, out=work)
    work += h.epsilon
    g *= lr
    g /= work
    p -= g


def adam(p: Array, g: Array, lr: Array, state: list[Array], t: int, h: Hyper) -> None:
    """`p -= lr m^ / (sqrt(s^) + eps)` with bias-corrected averages of `g` and `g^2`.

    Source:
        Kingma & Ba, "Adam", ICLR 2015, algorithm 1.
    """
    s, work, m = state
    _average_of_squares(s, g, h.beta2, work)
    m *= h.beta1
    np.multiply(g, 1 - h.beta1, out=work)
    m += work
    np.divide(s, 1 - h.beta2**t, out=work)
    np.sqrt(work, out=work)
    work += h.epsilon
    np.divide(m, 1 - h.beta1**t, out=g)
    g *= lr
    g /= work
    p -= g


def _average_of_squares(s: Array, g: Array, decay: float, work: Array) -> None:
    """`s = decay s + (1 - decay) g^2`."""
    s *= decay
    np.multiply(g, g, out=work)
    work *= 1 - decay
    s += work


@dataclass(frozen=True)
class Optimizer:
    """An update and how many arrays of the parameters' shape it keeps, zeros at the start."""

    update: Update
    arrays: int
    beta2: float = 0.999


OPTIMIZERS: Mapping[str, Optimizer] = MappingProxyType(
    {
        "sgd": Optimizer(sgd, 0),
        "momentum": Optimizer(momentum, 1),
        "nesterov": Optimizer(nesterov, 1),
        "rmsprop": Optimizer(rmsprop, 2, beta2=0.9),
        "adam": Optimizer(adam, 3),
    }
)
