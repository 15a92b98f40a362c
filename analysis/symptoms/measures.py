"""What rules measure: one number a run from its traces, larger where it is worse.

A rule holds where its number reaches a limit. `-inf` stands where something else rules the symptom
out, NaN where the number cannot be had from what was recorded.

The limits below were chosen on one half of the runs of `experiment=population` and their errors
measured on the other: docs/failure-modes.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.symptoms.traces import Array, Flags, Traces

AT_PRIOR = 0.02
SPREAD_OF_GUESSING = 0.003  # of the targets' spread
HIGH = 0.5
FLAT = 0.03
LEAVES = 0.5
STEADY = 0.05
ROUNDING = {"float64": 1e-12, "float32": 1e-5}


def diverged(traces: Traces) -> Array:
    """1 where the loss has stopped being finite."""
    return traces.diverged.astype(float)


def dead_layer(traces: Traces) -> Array:
    """Share of units that are 0 on all training data, in the layer with most of them."""
    return worst(traces.now("dead_fraction"))


def dead_units(traces: Traces) -> Array:
    """The same, among hidden layers."""
    return worst(traces.hidden(traces.now("dead_fraction")))


def collapsed_weights(traces: Traces) -> Array:
    """Factor by which the norm of the weights has shrunk, in the layer where most."""
    start, now = traces.curve("weight_norm")[:, 0], traces.now("weight_norm")
    gone = np.where(start > 0, np.inf, 1.0)  # what was 0 from the start has not shrunk
    return worst(np.where(now == 0, gone, start / now))


def stuck_at_prior(traces: Traces) -> Array:
    """Trainings of the asked length until the run may leave the plateau; the later of two times.

    That in which the output comes to vary as the targets do if it grows on as it does, and that in
    which the weights of the fastest layer move by their own norm.
    """
    share = traces.now("output_spread") / target_spread(traces)
    awakening = np.log(1 / (share + rounding(traces))) * patience(traces)
    later = np.where(np.isnan(awakening), np.nan, np.fmax(awakening, stillness(traces)))
    return only(at_prior(traces), later)


def patience(traces: Traces) -> Array:
    """Trainings in which the spread of the output grows by a factor e; inf where it does not."""
    floor = rounding(traces) * target_spread(traces)
    now, before = (spread + floor for spread in spreads(traces))
    rate = np.log(now / before) / traces.passed
    return np.where(rate <= 0, np.inf, 1 / (rate * traces.column("epochs")))


def rounding(traces: Traces) -> Array:
    """Share of the targets' spread below which the output's is rounding error."""
    return np.asarray(traces.frame["dtype"].map(ROUNDING), float)


def stillness(traces: Traces) -> Array:
    """Trainings in which the weights of the fastest layer move by their own norm, at their pace."""
    return np.asarray(1 / (worst(traces.now("update_ratio")) * traces.updates))


def spreads(traces: Traces) -> tuple[Array, Array]:
    """Spread of the output now and midway."""
    return traces.now("output_spread"), traces.midway("output_spread")


def at_prior(traces: Traces) -> Flags:
    """Whether the loss is that of guessing, and the output the same for every input."""
    excess = np.abs(relative_loss(traces) - 1)
    constant = traces.now("output_spread") < SPREAD_OF_GUESSING * target_spread(traces)
    return np.asarray((excess < AT_PRIOR) & constant)


def relative_loss(traces: Traces) -> Array:
    """Loss over the loss of guessing."""
    return traces.now("loss") / traces.column("prior_loss")


def high(traces: Traces) -> Flags:
    """Whether the loss is above half of the loss of guessing, or no number."""
    return ~(relative_loss(traces) <= HIGH)


def target_spread(traces: Traces) -> Array:
    """Deviation of the targets over samples, mean over output units.

    Exact for numbers; of classes as if they were equally frequent, which suffices for a scale.
    """
    units, frame = traces.column("n_out"), traces.frame
    share = 1 / np.maximum(units, 2)
    of_classes = np.sqrt(share * (1 - share))
    samples = np.where(frame["reduction"] == "sum", traces.column("samples"), 1)
    of_numbers = np.sqrt(2 * traces.column("prior_loss") / (units * samples))
    numbers = (traces.column("classes") == 0) | (frame["loss"] == "squared_error").to_numpy(bool)
    return np.where(numbers, of_numbers, of_classes)


def exploding_gradient(traces: Traces) -> Array:
    """Largest norm of W times norm of its gradient so far, over the loss of guessing."""
    norms = sensitivity(traces)
    layers = np.arange(norms.shape[2]) <= traces.depth[:, None]
    measured = layers[:, None] & ~np.isnan(traces.epochs)[:, :, None]
    # A gradient that was measured and is no number was too large for one.
    norms[measured & np.isnan(norms)] = np.inf
    return only(high(traces), worst(worst(norms)))


def sensitivity(traces: Traces) -> Array:
    """Norm of W times norm of dL/dW over the loss of guessing, `(R, K, L)`.

    Has no unit: by how many prior losses the loss would change if W changed by its own size along
    its gradient, were the loss linear.
    """
    product = traces.curve("weight_norm") * traces.curve("grad_norm")
    return product / traces.column("prior_loss")[:, None, None]


def vanishing_gradient(traces: Traces) -> Array:
    """Trainings that W of the first layer needs to move by its own norm, at its fastest pace."""
    pace = worst(traces.curve("update_ratio")[:, :, 0]) * traces.updates
    flat = worst(sensitivity(traces)[:, :, 0]) < FLAT
    alive = worst(traces.now("dead_fraction")) < 1
    return only(flat & alive & high(traces), 1 / pace)


def saturated(traces: Traces) -> Array:
    """Share of activations with a slope below 1 % of the largest, in the layer with most."""
    return only(high(traces), worst(traces.hidden(traces.now("saturated_fraction"))))


def oscillating(traces: Traces) -> Array:
    """Largest rise of the loss between records of the second half, over the loss of guessing."""
    return worst(rises(traces))


def rises(traces: Traces) -> Array:
    """By how much the loss rose from record to record in the second half, `(R, K - 1)`.

    Over the loss of guessing; 0 where it fell, and in the first half.
    """
    late = np.arange(traces.epochs.shape[1]) >= traces.middle[:, None]
    losses = np.where(late, traces.curve("loss"), np.nan)
    rise = np.diff(losses, axis=1) / traces.column("prior_loss")[:, None]
    return np.asarray(np.fmax(rise, 0.0))


def slow(traces: Traces) -> Array:
    """Fall of the loss that ten times the epochs are still to bring, over the loss of guessing.

    Foretold from the fall of its lowest so far over the logarithm of time. A run on a plateau that
    it is about to leave has everything before it.
    """
    best = np.fmin.accumulate(traces.curve("loss"), axis=1) / traces.column("prior_loss")[:, None]
    now = best[np.arange(len(best)), traces.last]
    since = (traces.middle, np.maximum(traces.last - 2, 0))
    slope = np.minimum(*(descent(traces, best, start) for start in since))
    fall = np.minimum(slope * np.log(10), now - slope * np.log(1 / traces.until))
    leaving = at_prior(traces) & (patience(traces) < LEAVES)
    steady = rises(traces).sum(axis=1) < STEADY
    return np.where(leaving, 1.0, only((now > HIGH) & steady, fall))


def descent(traces: Traces, curve: Array, since: NDArray[np.intp]) -> Array:
    """Fall of a curve since a record, over the logarithm of the time since, `(R,)`."""
    rows = np.arange(len(curve))
    then, now = (traces.epochs[rows, at] for at in (since, traces.last))
    fall = curve[rows, since] - curve[rows, traces.last]
    return np.where(now > then, fall / np.log(now / np.fmax(then, 1)), np.nan)


def not_learning(traces: Traces) -> Array:
    """Loss over the loss of guessing."""
    return relative_loss(traces)


def worst(values: Array) -> Array:
    """Largest along the last axis; `-inf` where there is nothing."""
    return np.asarray(np.fmax.reduce(values, axis=-1, initial=-np.inf))


def only(where: Flags, values: Array) -> Array:
    """Rule the symptom out elsewhere."""
    return np.where(where, values, -np.inf)
