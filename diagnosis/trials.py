"""The author's training, as it is and with something changed, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import default_rng

from diagnosis.calls import Array, Point
from diagnosis.errors import SubjectFailed
from diagnosis.first_steps import Steps, first_steps
from diagnosis.model import Model, read
from diagnosis.probing import Probes
from diagnosis.subject import Subject

STUCK = 0.9
BETTER = 0.5
SECONDS = 30.0


@dataclass(frozen=True)
class Run:
    """How a training ended."""

    final: float
    curve: Array
    params: dict[str, Array]

    @property
    def finite(self) -> bool:
        """Whether the loss was a number all along."""
        return bool(np.isfinite(self.curve).all() and np.isfinite(self.final))


@dataclass(frozen=True)
class Case:
    """What a mend can look at."""

    subject: Subject
    model: Model | None
    probes: Probes
    run: Run
    train: Callable[..., Run | None]
    prior: float

    @cached_property
    def steps(self) -> Steps | None:
        """The author's first steps, if they can be seen."""
        return first_steps(self.subject, self.run.curve)


def trained(
    subject: Subject,
    *,
    params: dict[str, Array] | None = None,
    X: Array | None = None,
    shared: bool = False,
    **changes: Any,
) -> Run | None:
    """Return how the author's training ends with other parameters, inputs or settings.

    Returns:
        None where it fails, or does not return parameters and losses.
    """
    try:
        return as_it_is(subject, params=params, X=X, shared=shared, **changes)
    except (SubjectFailed, ValueError):
        return None


def as_it_is(
    subject: Subject,
    *,
    params: dict[str, Array] | None = None,
    X: Array | None = None,
    shared: bool = False,
    **changes: Any,
) -> Run:
    """Return what `trained` does.

    Raises:
        SubjectFailed: training fails.
        ValueError: it does not return parameters and losses.
    """
    point = Point(params or subject.params, subject.X if X is None else X, subject.Y)
    told = subject.ask("train", seconds=SECONDS, shared=shared, **point._asdict(), **changes)
    curve = np.asarray(told["losses"], float)
    if not set(told["params"]) >= set(subject.params) or not curve.size:
        msg = "`train` must return (params, losses), with all params and a loss for each step."
        raise ValueError(msg)
    ended = {n: told["params"][n].reshape(subject.params[n].shape) for n in subject.params}
    final = float(subject.losses([Point(ended, point.X, subject.Y)])[0])
    return Run(final, curve, ended)


def trainer(subject: Subject) -> Callable[..., Run | None]:
    """Return `trained` of one subject."""

    def train(**changes: Any) -> Run | None:
        return trained(subject, **changes)

    return train


def prior(subject: Subject, model: Model | None) -> float:
    """Return the loss of the best output that does not look at the input; inf if unknown."""
    if model is None:
        return float(subject.losses([subject.start])[0])
    batch = read(model.layout, [subject.start])
    y = batch.Y
    middle = np.broadcast_to(np.mean(y, axis=1, keepdims=True), y.shape)
    factor = model.factors.get(batch.samples)
    if factor is None:
        return float("inf")
    with np.errstate(all="ignore"):
        value = float(
            np.sum(
                model.core(
                    np.clip(middle, 1e-12, 1 - 1e-12) if "cross" in model.loss_name else middle, y
                )
                * factor
            )
        )
    start = float(subject.losses([subject.start])[0])
    return value if np.isfinite(value) else start


def fails(case: Case) -> bool:
    """Whether the author's training ends no better than an output that ignores the input."""
    if not case.run.finite:
        return True
    first = float(case.run.curve[0])
    floor = case.prior if np.isfinite(case.prior) else first
    return case.run.final > STUCK * min(floor, max(first, case.run.final))


def worse(case: Case, mended: Run | None) -> bool:
    """Whether the author's training ends clearly worse than a mended one."""
    if mended is None or not np.isfinite(mended.final):
        return False
    own = case.run.final if np.isfinite(case.run.final) else np.inf
    return mended.final < BETTER * min(own, case.prior)


def learned(case: Case) -> bool:
    """Whether the author's training ends far below an output that ignores the input."""
    return case.run.finite and case.run.final < BETTER * case.prior


def any_start_better(case: Case) -> bool:
    """Whether training from a usual start ends lower, or cannot be tried."""
    runs = [case.train(params=p) for p in fresh_starts(case, 3)]
    ended = [r.final for r in runs if r is not None and np.isfinite(r.final)]
    own = case.run.final if np.isfinite(case.run.final) else np.inf
    return not ended or min(ended) < 0.9 * own


def fresh_starts(case: Case, count: int, bias: float = 0.0) -> Iterator[dict[str, Array]]:
    """Yield starts with weights of variance 2/n_in for ReLU and 1/n_in else, and small biases."""
    model = case.model
    for seed in range(count):
        rng = default_rng(seed)
        params = {n: np.array(a, float) for n, a in case.subject.params.items()}
        if model is None:
            for name, a in params.items():
                if a.ndim == 2 and min(a.shape) > 1:
                    params[name] = rng.standard_normal(a.shape) / np.sqrt(max(a.shape))
            yield params
            continue
        for k, layer in enumerate(model.layout.layers):
            n_in = layer.W.index.shape[0]
            gain = 2.0 if k < len(model.hidden) and "relu" in model.hidden[k] else 1.0
            layer.W.write(params, rng.standard_normal(layer.W.index.shape) * np.sqrt(gain / n_in))
            if layer.b is not None:
                layer.b.write(params, np.full(layer.b.index.shape, bias))
        yield params
