"""What is true of a run, by what its twin knows and no rule reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from analysis.population.twins import Twins
from analysis.symptoms import SYMPTOMS
from analysis.symptoms.measures import relative_loss, worst
from analysis.symptoms.traces import Array, Flags

HIGH = 0.5


@dataclass(frozen=True)
class Truth:
    """What is meant by a symptom.

    Attributes:
        sentence: the definition, for the page.
        of: from `R` pairs of runs to `(R,)` flags.
    """

    sentence: str
    of: Callable[[Twins], Flags]


def _diverged(pair: Twins) -> Flags:
    return pair.short.diverged | pair.long.diverged


def _dead_layer(pair: Twins) -> Flags:
    silent = (pair.long.now("act_mean") == 0) & (pair.long.now("act_spread") == 0)
    return np.asarray(pair.finished & silent.any(axis=1))


def _dead_units(pair: Twins) -> Flags:
    return np.asarray(pair.finished & (_most(pair, "dead_fraction") >= 0.5))


def _most(pair: Twins, probe: str) -> Array:
    return worst(pair.long.hidden(pair.long.now(probe)))


def _collapsed(pair: Twins) -> Flags:
    start, end = pair.long.curve("weight_norm")[:, 0], pair.long.now("weight_norm")
    return np.asarray(pair.finished & ((start > 0) & (end <= 0.01 * start)).any(axis=1))


def _stuck(pair: Twins) -> Flags:
    never_better = np.fmin.reduce(pair.loss, axis=1) >= 0.98
    constant = worst(pair.spread) < 0.1
    near = np.abs(np.nanmedian(pair.loss, axis=1) - 1) <= 0.05
    return np.asarray(pair.finished & never_better & constant & near)


def _exploded(pair: Twins) -> Flags:
    curves = [traces.curve("loss") / pair.prior[:, None] for traces in (pair.short, pair.long)]
    peak = np.fmax(*(worst(np.where(np.isinf(curve), np.nan, curve)) for curve in curves))
    return np.asarray(~pair.finished | ((peak >= 10) & (pair.final > HIGH)))


def _vanished(pair: Twins) -> Flags:
    pace = pair.long.curve("update_ratio")[:, :-1, 0]
    steps = pair.long.updates / pair.long.column("epochs")
    path = np.nansum(pace * np.diff(pair.long.epochs, axis=1), axis=1) * steps
    return np.asarray(pair.finished & (path < 0.1) & (pair.final > HIGH) & ~_dead_layer(pair))


def _saturated(pair: Twins) -> Flags:
    return np.asarray(
        pair.finished & (_most(pair, "saturated_fraction") >= 0.5) & (pair.final > HIGH)
    )


def _oscillates(pair: Twins) -> Flags:
    jumps = np.abs(np.diff(pair.loss, axis=1))
    return np.asarray(pair.finished & (np.nanmedian(jumps, axis=1) >= 0.05))


def _slow(pair: Twins) -> Flags:
    best = np.fmin.reduce(pair.short.curve("loss"), axis=1) / pair.prior
    return np.asarray(pair.finished & (best > HIGH) & (best - pair.final >= 0.1))


def _learns_nothing(pair: Twins) -> Flags:
    return ~pair.short.diverged & (relative_loss(pair.short) >= 0.9)


def _sound(pair: Twins) -> Flags:
    failures = [TRUTHS[name].of(pair) for name in TRUTHS if SYMPTOMS[name].isfailure]
    return ~np.asarray(np.any(failures, axis=0))


TRUTHS: Mapping[str, Truth] = MappingProxyType(
    {
        "diverged": Truth("The run or its twin diverged.", _diverged),
        "dead_layer": Truth(
            "When the twin ends, mean and spread of the activations of some layer are exactly 0 "
            "over all training data.",
            _dead_layer,
        ),
        "collapsed_weights": Truth(
            "When the twin ends, the norm of the weights of some layer is a hundredth of what it "
            "was at the start, or less.",
            _collapsed,
        ),
        "stuck_at_prior": Truth(
            "From the end of the run to that of its twin, the loss was never below 98 % of the "
            "loss of guessing and its median within 5 % of it, and the output never varied by "
            "more than a tenth of what the targets do.",
            _stuck,
        ),
        "saturated": Truth(
            "When the twin ends, half of the activations of some hidden layer or more have a "
            "slope below 1 % of the largest, and its loss is above half of the loss of guessing.",
            _saturated,
        ),
        "exploding_gradient": Truth(
            "The run or its twin diverged; or their loss was once ten times the loss of guessing "
            "and the twin ends above half of it.",
            _exploded,
        ),
        "vanishing_gradient": Truth(
            "All steps of the twin together, as recorded, move the first layer's weights by less "
            "than a tenth of their norm; the twin ends above half of the loss of guessing and "
            "without a dead layer.",
            _vanished,
        ),
        "oscillating": Truth(
            "From the end of the run to that of its twin, the loss changes from one record to the "
            "next, 25 epochs on, by 5 % of the loss of guessing or more: the median of these "
            "changes, up or down.",
            _oscillates,
        ),
        "slow": Truth(
            "The run's lowest loss is above half of the loss of guessing, and its twin ends below "
            "that by a tenth of the loss of guessing or more.",
            _slow,
        ),
        "not_learning": Truth(
            "The run ends with 90 % of the loss of guessing or more.", _learns_nothing
        ),
        "dead_units": Truth(
            "When the twin ends, half of the units of some hidden layer or more are 0 on all "
            "training data.",
            _dead_units,
        ),
        "healthy": Truth("None of the failures above is true.", _sound),
    }
)
