"""The author's descent beside one with the true gradient, from the same start."""

from __future__ import annotations

import numpy as np

from diagnosis.answer import Answer, Curves
from diagnosis.calls import Array, Point
from diagnosis.errors import SubjectFailed
from diagnosis.model import Model
from diagnosis.subject import Subject

STEPS = 1000
RATES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4)
TRIAL = 100


def mended_curves(subject: Subject, model: Model | None) -> Curves | None:
    """Return losses of plain steps with the author's gradient and with the true one.

    Both take the rate, of a few, at which the true gradient gets furthest in 100 steps. None where
    no model gives the true gradient, or the author's cannot be followed.
    """
    if model is None:
        return None
    start = {name: np.array(a, float) for name, a in subject.params.items()}
    tried = [(descend(subject, model, start, rate, TRIAL)[-1], rate) for rate in RATES]
    tried = [(loss, rate) for loss, rate in tried if np.isfinite(loss)]
    if not tried:
        return None
    rate = min(tried)[1]
    mended = descend(subject, model, start, rate, STEPS)
    try:
        told = subject.ask("descend", steps=STEPS, lr=rate, **subject.start._asdict())
    except SubjectFailed:
        return None
    return Curves(np.asarray(told["losses"], float), mended, STEPS, rate)


def without_curves(answer: Answer) -> str:
    """Say why no repaired training stands beside the author's; empty where one does."""
    if answer.curves is not None and answer.curves.mended is not None:
        return ""
    if answer.kind != "gradient":
        return "nothing to repair in the gradient, so no repaired training is shown"
    if answer.model is None:
        return (
            "no repaired training is shown: it needs the true gradient, and your network is none "
            "of those known"
        )
    return "no repaired training is shown: neither gradient could be followed from your start"


def descend(
    subject: Subject, model: Model, start: dict[str, Array], rate: float, steps: int
) -> Array:
    """Return the losses of plain steps with the model's gradient."""
    from diagnosis.model import read

    params, curve = dict(start), []
    with np.errstate(all="ignore"):
        for step in range(steps + 1):
            point = Point(params, subject.X, subject.Y)
            curve.append(float(model.value(read(model.layout, [point]))[0]))
            if step < steps:
                grads = model.named_grads(point)
                params = {name: params[name] - rate * grads[name] for name in params}
    return np.array(curve)
