"""Losses that people write, as terms that are added up, and their slopes.

Arrays are `(points, samples, units)`; units are the last axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from diagnosis.calls import Array
from diagnosis.formulas import OUTPUTS, sigmoid


@dataclass(frozen=True)
class Loss:
    """A loss as terms that are added up, and their derivative with respect to `a`.

    Attributes:
        terms: `(a, y)` to one number for each unit and sample.
        slope: `(a, y)` to `dL/da`.
        eps: what is added inside a logarithm.
    """

    terms: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]
    eps: float = 0.0


def _cross(eps: float) -> Loss:
    return Loss(lambda a, y: -y * np.log(a + eps), lambda a, y: -y / (a + eps), eps)


def _binary(eps: float) -> Loss:
    return Loss(
        lambda a, y: -y * np.log(a + eps) - (1 - y) * np.log(1 - a + eps),
        lambda a, y: -y / (a + eps) + (1 - y) / (1 - a + eps),
        eps,
    )


def _huber(d: float) -> Loss:
    return Loss(
        lambda a, y: np.where(
            np.abs(a - y) <= d, 0.5 * (a - y) ** 2, d * np.abs(a - y) - 0.5 * d * d
        ),
        lambda a, y: np.clip(a - y, -d, d),
    )


def _target_score(a: Array, y: Array) -> Array:
    target = y == np.max(y, axis=-1, keepdims=True)
    return np.asarray(np.sum(a * target, axis=-1, keepdims=True))


def _margins(a: Array, y: Array) -> Array:
    others = y != np.max(y, axis=-1, keepdims=True)
    return np.asarray(np.maximum(0, a - _target_score(a, y) + 1) * others)


def _margins_slope(a: Array, y: Array) -> Array:
    over = (_margins(a, y) > 0).astype(float)
    target = y == np.max(y, axis=-1, keepdims=True)
    return np.where(target, -np.sum(over, axis=-1, keepdims=True), over)


def _kl(a: Array, y: Array) -> Array:
    return np.asarray(y * (np.log(np.where(y > 0, y, 1.0)) - np.log(a)))


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "squared_error": Loss(lambda a, y: (a - y) ** 2, lambda a, y: 2 * (a - y)),
        "binary_cross_entropy": _binary(0.0),
        "cross_entropy": _cross(0.0),
        "absolute_error": Loss(lambda a, y: np.abs(a - y), lambda a, y: np.sign(a - y)),
        "huber": _huber(1.0),
        "huber(0.5)": _huber(0.5),
        "hinge": Loss(lambda a, y: np.maximum(0, 1 - a * y), lambda a, y: -y * (1 - a * y > 0)),
        "squared_hinge": Loss(
            lambda a, y: np.maximum(0, 1 - a * y) ** 2,
            lambda a, y: -2 * y * np.maximum(0, 1 - a * y),
        ),
        "hinge(0/1)": Loss(
            lambda a, y: np.maximum(0, 1 - a * (2 * y - 1)),
            lambda a, y: -(2 * y - 1) * (1 - a * (2 * y - 1) > 0),
        ),
        "log_cosh": Loss(lambda a, y: np.log(np.cosh(a - y)), lambda a, y: np.tanh(a - y)),
        "multiclass_hinge": Loss(_margins, _margins_slope),
        "kullback_leibler": Loss(_kl, lambda a, y: -y / a),
        "logistic(-1/1)": Loss(
            lambda a, y: np.logaddexp(0, -a * y), lambda a, y: -y * sigmoid(-a * y)
        ),
        "logits_cross_entropy": Loss(
            lambda a, y: np.logaddexp(0, a) - a * y, lambda a, y: sigmoid(a) - y
        ),
        "softmax_logits_cross_entropy": Loss(
            lambda a, y: -y * (a - np.logaddexp.reduce(a, axis=-1, keepdims=True)),
            lambda a, y: OUTPUTS["softmax"].value(a) * np.sum(y, axis=-1, keepdims=True) - y,
        ),
        "poisson": Loss(lambda a, y: a - y * np.log(a), lambda a, y: 1 - y / a),
        "fourth_power": Loss(lambda a, y: (a - y) ** 4, lambda a, y: 4 * (a - y) ** 3),
    }
)


def smoothed(loss: Loss, share: float) -> Loss:
    """Return a cross-entropy with that share of each label spread evenly over the classes.

    Source:
        Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7.
    """

    def target(y: Array) -> Array:
        return np.asarray((1 - share) * y + share * even(y))

    return Loss(
        lambda a, y: loss.terms(a, target(y)), lambda a, y: loss.slope(a, target(y)), loss.eps
    )


def even(y: Array) -> float:
    """Return the label that favors no class; one unit stands for two classes."""
    return 1.0 / max(int(y.shape[-1]), 2)


EPSILONS = (*tuple(10.0 ** (-k) for k in range(3, 17)), float(np.finfo(float).eps))
SMOOTHED = (
    ("softmax", "cross_entropy"),
    ("sigmoid", "binary_cross_entropy"),
    ("identity", "softmax_logits_cross_entropy"),
    ("identity", "logits_cross_entropy"),
)
WITH_EPS: Mapping[str, Callable[[float], Loss]] = MappingProxyType(
    {"binary_cross_entropy": _binary, "cross_entropy": _cross}
)
