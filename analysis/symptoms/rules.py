"""The rules: from the traces of many runs to a truth value for each, in a few lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.symptoms.traces import Array, Traces

Flags = NDArray[np.bool_]

AT_PRIOR = 0.02
SPREAD = 0.05
GROWTH = 1.05
DEAD_UNITS = 0.7
VANISHED = 1e-3
EXPLODED = 70.0
SATURATED = 0.7
COLLAPSED = 0.05
SWINGS = 0.1
FALLING = 0.1


def diverged(traces: Traces) -> Flags:
    """The loss became infinite or NaN."""
    return traces.diverged


def dead_layer(traces: Traces) -> Flags:
    """Every unit of some layer is 0 on all training data."""
    return np.asarray((traces.now("dead_fraction") == 1).any(axis=1))


def stuck_at_prior(traces: Traces) -> Flags:
    """The loss of guessing, an output that does not depend on the input, and it is not growing."""
    spread, before = traces.now("output_spread"), traces.midway("output_spread")
    return at_prior(traces) & (spread <= GROWTH * before) & (traces.passed > 0)


def at_prior(traces: Traces) -> Flags:
    """The loss is that of guessing, and the output does not depend on the input."""
    excess = np.abs(traces.now("loss") / traces.column("prior_loss") - 1)
    constant = traces.now("output_spread") < SPREAD * target_spread(traces)
    return (excess < AT_PRIOR) & constant


def target_spread(traces: Traces) -> Array:
    """Deviation of the targets over samples, mean over output units: exact for regression."""
    units = traces.column("n_out")
    share = 1 / np.maximum(units, 2)  # as if the classes were equally frequent
    of_classes = np.sqrt(share * (1 - share))
    samples = np.where(traces.frame["reduction"] == "sum", traces.column("samples"), 1)
    of_numbers = np.sqrt(2 * traces.column("prior_loss") / (units * samples))
    return np.where(traces.frame["loss"] == "squared_error", of_numbers, of_classes)


def dead_units(traces: Traces) -> Flags:
    """Most units of some layer are 0 on all training data."""
    return np.asarray((traces.hidden(traces.now("dead_fraction")) >= DEAD_UNITS).any(axis=1))


def vanishing_gradient(traces: Traces) -> Flags:
    """The first layer's gradient is a tiny part of the output layer's."""
    norms = traces.now("grad_norm")
    first, top = norms[:, 0], traces.output(norms)
    return (first < VANISHED * top) & (first > 0) & (traces.column("depth") > 0)


def exploding_gradient(traces: Traces) -> Flags:
    """A step changes the weights of some layer by more than they are."""
    ratios = traces.curve("update_ratio")[:, 1:]
    return np.asarray((ratios > EXPLODED / 70).any(axis=(1, 2)))


def saturated(traces: Traces) -> Flags:
    """Most activations of some layer lie where the slope is below 1 % of its largest."""
    shares = traces.hidden(traces.now("saturated_fraction"))
    return np.asarray((shares >= SATURATED).any(axis=1))


def collapsed_weights(traces: Traces) -> Flags:
    """The weights of some layer have shrunk to a small part of what they were."""
    norms = traces.curve("weight_norm")
    return np.asarray((traces.now("weight_norm") <= COLLAPSED * norms[:, 0]).any(axis=1))


def oscillating(traces: Traces) -> Flags:
    """The loss has risen, in the second half, by a good part of the loss of guessing."""
    late = np.arange(traces.epochs.shape[1]) >= traces.middle[:, None]
    losses = np.where(late, traces.curve("loss"), np.nan)
    rises = np.nan_to_num(np.diff(losses, axis=1), posinf=np.inf)
    return np.asarray(rises.max(axis=1, initial=0) > SWINGS * traces.column("prior_loss"))


def slow(traces: Traces) -> Flags:
    """The loss is still high and falling, or at the prior's while the output grows."""
    now, before = traces.now("loss"), traces.midway("loss")
    prior = traces.column("prior_loss")
    falling = (now > 0.5 * prior) & (before - now > FALLING * now)
    growing = traces.now("output_spread") > GROWTH * traces.midway("output_spread")
    return falling | (growing & at_prior(traces))
