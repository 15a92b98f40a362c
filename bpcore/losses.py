"""Losses and output units, and every pairing of the two that can be trained.

Losses are in nats, summed over units; over samples they are averaged or summed (`reduction`),
through the layer's `share`, which is 1/m or 1. Cross-entropies are computed from `z`, because a
probability that rounds to 0 or 1 would make an infinity of a well-trained float32 network.

A pairing has a name for what it assumes: the delta `a - y`, for one, belongs to sigmoid with binary
cross-entropy and to softmax with softmax cross-entropy, and to nothing else but `identity`
with the squared error.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from bpcore import activations
from bpcore.activations import Array, Formula
from bpcore.rules import Rule

if TYPE_CHECKING:
    from bpcore.stack import Layer

LOSSES = ("binary_cross_entropy", "softmax_cross_entropy", "squared_error")


def softmax(z: Array, out: Array) -> None:
    """`a_k = e^(z_k) / sum_j e^(z_j)` over units, shifted by the largest `z` against overflow."""
    np.subtract(z, np.maximum.reduce(z, axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= np.add.reduce(out, axis=1, keepdims=True)


def _sum_over_samples(layer: Layer, terms: Array, out: Array) -> None:
    """Reduce `(R, n_out, m)` terms to the loss of each run."""
    np.sum(terms.reshape(len(terms), -1), axis=1, out=out)
    out *= layer.share


# --- squared error: L = 1/2 sum (a - y)^2, dL/da = a - y


def squared_error(layer: Layer, out: Array) -> None:
    """`L = 1/2 sum_units (a - y)^2`, averaged or summed over samples. Mind the half."""
    error = layer.a - layer.targets
    _sum_over_samples(layer, 0.5 * error * error, out)


def error_delta(layer: Layer, out: Array) -> None:
    """`delta = a - y`: right where the output's slope cancels the loss's, see the module."""
    np.subtract(layer.a, layer.targets, out=out)
    out *= layer.share


def _error_times_slope(slope: Formula) -> Rule:
    def rule(layer: Layer, out: Array) -> None:
        """`delta = (a - y) f'`."""
        np.subtract(layer.a, layer.targets, out=out)
        out *= layer.share
        slope(layer.a, layer.scratch)
        out *= layer.scratch

    return rule


def squared_softmax_delta(layer: Layer, out: Array) -> None:
    """`delta_i = a_i (e_i - sum_k a_k e_k)` with `e = a - y`: the Jacobian of softmax."""
    np.subtract(layer.a, layer.targets, out=out)
    out *= layer.share
    out -= np.sum(layer.a * out, axis=1, keepdims=True)
    out *= layer.a


# --- binary cross-entropy: L = -sum_units [y log a + (1 - y) log(1 - a)]


def binary_cross_entropy_sigmoid(layer: Layer, out: Array) -> None:
    """`L = max(z, 0) - y z + log(1 + e^-|z|)`, which is the definition with `a = sigmoid(z)`."""
    z, y, small = layer.z, layer.targets, layer.scratch
    np.abs(z, out=small)
    np.negative(small, out=small)
    np.exp(small, out=small)
    np.log1p(small, out=small)
    # The large terms first: where they cancel, the small one is all that is left.
    terms = np.maximum(z, activations.zeros_like(z))
    terms -= y * z
    terms += small
    _sum_over_samples(layer, terms, out)


def binary_cross_entropy_softmax(layer: Layer, out: Array) -> None:
    """The definition with `a = softmax(z)`; `1 - a_k` is the share of the other units.

    It is added up without k: subtracted from 1, or next to `e^(z_k)`, nothing would be left of it.
    """
    z, y = layer.z, layer.targets
    shifted = z - np.max(z, axis=1, keepdims=True)
    log_all = np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    log_rest = np.empty_like(z)
    for k in range(z.shape[1]):
        # Not by a mask: the layout of what that selects, and so the sum, depends on the runs.
        rest = np.delete(shifted, k, axis=1)
        top = np.max(rest, axis=1, keepdims=True)
        log_sum = top + np.log(np.sum(np.exp(rest - top), axis=1, keepdims=True))
        log_rest[:, k : k + 1] = log_sum - log_all
    _sum_over_samples(layer, -(y * (shifted - log_all) + (1 - y) * log_rest), out)


def binary_softmax_delta(layer: Layer, out: Array) -> None:
    """`delta_i = a_i - y_i + sum_{k != i} [y_k a_i - (1 - y_k) a_k s_ik]`.

    `s_ik = a_i / (1 - a_k)` is the softmax over the units without k. Written with
    `u_k = a_k dL/da_k` it is `u_i - a_i sum_k u_k`, whose terms outgrow their difference.
    """
    a, y = layer.a, layer.targets
    np.subtract(a, y, out=out)
    for k in range(a.shape[1]):
        rest = np.delete(layer.z, k, axis=1)
        softmax(rest, rest)
        a_k, y_k = a[:, k : k + 1], y[:, k : k + 1]
        term = y_k * np.delete(a, k, axis=1) - (1 - y_k) * a_k * rest
        out += np.insert(term, k, 0.0, axis=1)
    out *= layer.share


# --- softmax cross-entropy: L = -sum_units y log a


def softmax_cross_entropy(layer: Layer, out: Array) -> None:
    """`L = log(sum_k e^(z_k - t)) sum_k y_k - sum_k y_k (z_k - t)`, with t the largest z.

    This is `-sum_k y_k log softmax(z)_k`; neither term is negative, so nothing cancels.
    """
    z, y, shifted = layer.z, layer.targets, layer.scratch
    np.subtract(z, np.maximum.reduce(z, axis=1, keepdims=True), out=shifted)
    below = np.vecdot(shifted.reshape(len(z), -1), y.reshape(len(y), -1))
    np.exp(shifted, out=shifted)
    logs = np.log(np.add.reduce(shifted, axis=1))
    np.subtract(np.vecdot(logs, np.add.reduce(y, axis=1)), below, out=out)
    out *= layer.share


def softmax_delta(layer: Layer, out: Array) -> None:
    """`delta_i = a_i sum_k y_k - y_i`, which is `a - y` where the targets sum to one."""
    np.multiply(layer.a, np.add.reduce(layer.targets, axis=1, keepdims=True), out=out)
    out -= layer.targets
    out *= layer.share


def softmax_cross_entropy_sigmoid(layer: Layer, out: Array) -> None:
    """`L = -sum_k y_k log sigmoid(z_k) = sum_k y_k log(1 + e^-z_k)`."""
    z = layer.z
    _sum_over_samples(
        layer, layer.targets * (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))), out
    )


def softmax_cross_entropy_sigmoid_delta(layer: Layer, out: Array) -> None:
    """`delta = -y (1 - a)`."""
    np.subtract(layer.a, 1.0, out=out)
    out *= layer.targets
    out *= layer.share


OUTPUTS: Mapping[str, Formula] = MappingProxyType(
    {
        "sigmoid": activations.sigmoid,
        "softmax": softmax,
        "identity": activations.identity,
        "relu": activations.relu,
        "tanh": activations.tanh,
    }
)

# (output, loss): the loss and its delta.
PAIRINGS: Mapping[tuple[str, str], tuple[Rule, Rule]] = MappingProxyType(
    {
        ("sigmoid", "binary_cross_entropy"): (binary_cross_entropy_sigmoid, error_delta),
        ("softmax", "binary_cross_entropy"): (binary_cross_entropy_softmax, binary_softmax_delta),
        ("softmax", "softmax_cross_entropy"): (softmax_cross_entropy, softmax_delta),
        ("sigmoid", "softmax_cross_entropy"): (
            softmax_cross_entropy_sigmoid,
            softmax_cross_entropy_sigmoid_delta,
        ),
        ("identity", "squared_error"): (squared_error, error_delta),
        ("sigmoid", "squared_error"): (
            squared_error,
            _error_times_slope(activations.sigmoid_slope_at_a),
        ),
        ("softmax", "squared_error"): (squared_error, squared_softmax_delta),
        ("relu", "squared_error"): (squared_error, _error_times_slope(activations.positive)),
        ("tanh", "squared_error"): (squared_error, _error_times_slope(activations.tanh_slope_at_a)),
    }
)

_NO_LOG = "its logarithm needs outputs between 0 and 1, and {output} gives any of {range}"
REFUSED: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (output, loss): _NO_LOG.format(output=output, range=range_)
        for output, range_ in (
            ("identity", "-inf to inf"),
            ("relu", "0 to inf"),
            ("tanh", "-1 to 1"),
        )
        for loss in ("binary_cross_entropy", "softmax_cross_entropy")
    }
)
USUAL_OUTPUT: Mapping[str, str] = MappingProxyType(
    {
        "binary_cross_entropy": "sigmoid",
        "softmax_cross_entropy": "softmax",
        "squared_error": "identity",
    }
)


def check_pairing(output: str, loss: str, n_out: int) -> None:
    """Refuse an output unit whose loss cannot be finite.

    Raises:
        ValueError: with the reason and the outputs that do go with the loss.
    """
    reason = REFUSED.get((output, loss))
    if output == "softmax" and loss == "binary_cross_entropy" and n_out == 1:
        reason = (
            "softmax over one unit is always 1, so the loss of every target below 1 is infinite"
        )
    if reason:
        fits = [o for o, paired in PAIRINGS if paired == loss]
        msg = f"`output` must be {' or '.join(fits)} with loss={loss}; got {output}: {reason}."
        raise ValueError(msg)


def output_rules(output: str, loss: str) -> tuple[Rule, Rule, Rule]:
    """Return the output unit, the loss and the output delta of an allowed pairing."""
    unit = OUTPUTS[output]

    def output_unit(layer: Layer, out: Array) -> None:
        unit(layer.z, out)

    return (output_unit, *PAIRINGS[output, loss])
