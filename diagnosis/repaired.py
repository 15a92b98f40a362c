"""The author's descent beside one with the true gradient, from the same start."""

from __future__ import annotations

import time

import numpy as np

from diagnosis.answer import Answer, Curves
from diagnosis.calls import Array, Point
from diagnosis.errors import SubjectFailed
from diagnosis.model import Model, read
from diagnosis.subject import Subject

STEPS = 1000
RATES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4)
TRIAL = 100
# Seconds for the steps of either gradient, and the fewest that show a curve.
SECONDS, FEWEST = 10.0, 50


def mended_curves(subject: Subject, model: Model | None, trial: Subject) -> Curves | None:
    """Return losses of plain steps with the author's gradient and with the true one.

    Both take the rate, of a few, at which the true gradient gets furthest in 100 steps. None where
    no model gives the true gradient, or the author's cannot be followed.

    Args:
        subject: whose gradient was found wrong.
        model: its network, with the factors of all samples and of the trial's.
        trial: the subject with as many samples as rates are tried on.
    """
    if model is None:
        return None
    start = {name: np.array(a, float) for name, a in subject.params.items()}
    tried = [(descend(trial, model, start, rate, TRIAL)[-1], rate) for rate in RATES]
    tried = [(loss, rate) for loss, rate in tried if np.isfinite(loss)]
    if not tried:
        return None
    rate = min(tried)[1] * _share(model, subject, trial)
    try:
        steps = _affordable(subject, model, start, rate)
        told = subject.ask("descend", steps=steps, lr=rate, **subject.start._asdict())
    except SubjectFailed:
        return None
    mended = descend(subject, model, start, rate, steps)
    return Curves(np.asarray(told["losses"], float), mended, steps, rate, trial is not subject)


def _share(model: Model, subject: Subject, trial: Subject) -> float:
    """Return how much longer steps are on the trial than on all, whose sum has more terms."""
    few, all_of_them = (read(model.layout, [s.start]).samples for s in (trial, subject))
    one, other = model.factors[few] * few, model.factors[all_of_them] * all_of_them
    return float(np.linalg.norm(one) / np.linalg.norm(other))


def _affordable(subject: Subject, model: Model, start: dict[str, Array], rate: float) -> int:
    """Return how many steps of the slower gradient there is time for.

    Raises:
        SubjectFailed: the author's gradient cannot be followed.
    """
    times = [time.monotonic()]
    descend(subject, model, start, rate, 2)
    times.append(time.monotonic())
    subject.ask("descend", steps=2, lr=rate, **subject.start._asdict())
    times.append(time.monotonic())
    each = float(np.max(np.diff(times))) / 2
    return int(np.clip(SECONDS / max(each, 1e-9), FEWEST, STEPS))


def without_curves(answer: Answer, model: Model | None) -> str:
    """Say why no repaired training stands beside the author's; empty where one does.

    Args:
        answer: with the network that was found, if one was.
        model: that network with all samples, if it is known to have their loss.
    """
    if answer.curves is not None and answer.curves.mended is not None:
        return ""
    if answer.kind != "gradient":
        return "nothing to repair in the gradient, so no repaired training is shown"
    if answer.model is None:
        return (
            "no repaired training is shown: it needs the true gradient, and your network is none "
            "of those known"
        )
    if model is None:
        return (
            "no repaired training is shown: the loss of all samples is not that of the network "
            "that was found on a part of them"
        )
    return "no repaired training is shown: neither gradient could be followed from your start"


def descend(
    subject: Subject, model: Model, start: dict[str, Array], rate: float, steps: int
) -> Array:
    """Return the losses of plain steps with the model's gradient."""
    params, curve = dict(start), []
    with np.errstate(all="ignore"):
        for step in range(steps + 1):
            point = Point(params, subject.X, subject.Y)
            curve.append(float(model.value(read(model.layout, [point]))[0]))
            if step < steps:
                grads = model.named_grads(point)
                params = {name: params[name] - rate * grads[name] for name in params}
    return np.array(curve)
