"""What a search has to explain: a subject's gradients at points, beside a model's way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.model import Batch, Model, Pass, read
from diagnosis.probing import Probes, part
from diagnosis.subject import Subject

POINTS = 5
FEWER_POINTS = 3
SINGLE_POINTS = 8


@dataclass(frozen=True)
class Group:
    """Points of one number of samples. Arrays are `(p, samples, units)`; layers count from 0.

    Attributes:
        batch, true: the points and the model's way forward and back.
        dW, db: the author's gradients in canonical form.
        dscale, dshift: those of a batch norm.
        factor: what the loss multiplies its terms with.
        points: where it is.
    """

    batch: Batch
    true: Pass
    dW: list[Array]
    db: list[Array | None]
    dscale: list[Array | None]
    dshift: list[Array | None]
    factor: Array
    points: list[Point]

    @property
    def samples(self) -> int:
        """Samples of each point."""
        return self.batch.samples


def _group(model: Model, points: Sequence[Point], grads: Sequence[dict[str, Array]]) -> Group:
    batch = read(model.layout, points)
    given = read(model.layout, [Point(g, p.X, p.Y) for g, p in zip(grads, points, strict=True)])
    return Group(batch, model.run(batch), given.W, given.b, given.scale, given.shift,
                 model.factors[batch.samples], list(points))  # fmt: skip


def group_at(model: Model, subject: Subject, points: Sequence[Point]) -> Group | None:
    """Call the author's `grads` at points; None where they cannot be had."""
    used, grads = [], []
    for point in points:
        made = subject.try_grads(point)
        if made is None:
            return None
        if all(np.isfinite(g).all() for g in made.values()):
            used.append(point)
            grads.append(made)
    return _group(model, used, grads) if used else None


def groups(model: Model, subject: Subject, probes: Probes, fewer: int | None) -> list[Group]:
    """Return a group with the author's number of samples, and one with fewer where it can be."""
    found = [group_at(model, subject, probes.points(POINTS))]
    if fewer is not None:
        rows = model.layout.rows
        points = [part(p, rows, range(fewer)) for p in probes.points(FEWER_POINTS)]
        found.append(group_at(model, subject, points))
    return [group for group in found if group is not None]


def single_samples(
    model: Model, subject: Subject, probes: Probes, exact: float
) -> tuple[Model, Group] | None:
    """Return a group of points of one sample each, and the model with its factor for one."""
    rows = model.layout.rows
    count = SINGLE_POINTS
    points = [part(p, rows, [i % model_samples(model)]) for i, p in enumerate(probes.points(count))]
    y = subject.losses(points)
    if not np.isfinite(y).all():
        return None
    batch = read(model.layout, points)
    blank = model.with_(factors={1: np.zeros(1)}, rooted=False)
    rest = (y**2 if model.rooted else y) - blank.value(batch)
    core = np.sum(blank.core(blank.forward(batch)[0][-1], batch.Y), axis=-1)
    factor = float(core @ rest / (core @ core))
    if np.linalg.norm(rest - factor * core) > 100 * exact * np.linalg.norm(rest):
        return None
    model = model.with_(factors={**model.factors, 1: np.array([factor])})
    group = group_at(model, subject, points)
    return None if group is None else (model, group)


def model_samples(model: Model) -> int:
    """Return the author's number of samples."""
    return next(iter(model.factors))
