"""The author's gradient beside that of a model, and a model beside differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.gradient import (
    RELATIVE,
    TIMES,
    ArrayCheck,
    Slopes,
    compare,
    compared_of,
    error_of,
    unit_of,
    verdicts,
    whole_of,
)
from diagnosis.losses import LOSSES
from diagnosis.model import Model, read
from diagnosis.subject import Subject

PER_EPS = 100
LIKE = 1e-7
# An overlooked kink moves an entry of many by a little; the gradient of another function moves all.
ANOTHER = 1e-2


def by_model(
    subject: Subject,
    model: Model,
    taken: Sequence[Slopes],
    grads: Sequence[Mapping[str, Array]],
    tolerance: float,
    grains: Sequence[Mapping[str, Array] | None],
) -> dict[str, ArrayCheck] | None:
    """Compare every entry with the gradient of the model that reproduces the loss.

    Returns:
        None where the model gives the loss at none of the points.
    """
    pairs, used = [], []
    for here, given, grain in zip(taken, grads, grains, strict=True):
        true = like_at(model, here)
        if true is None:
            continue
        whole, shifts = whole_of(true), _of_the_logarithm(model, here.point, true)
        made = {}
        for name in subject.params:
            g, n = np.asarray(given[name], float).reshape(-1), true[name].reshape(-1)
            least = shifts[name].reshape(-1)
            if grain is not None:
                least = least + 2 * TIMES * grain[name].reshape(-1)
            known = np.ones(g.shape, bool)
            made[name] = compared_of(
                g, n, tolerance * unit_of(g, n, whole, tolerance), least, known, whole
            )
        pairs.append(made)
        used.append(given)
    if not pairs:
        return None
    return verdicts(pairs, {name: a.size for name, a in subject.params.items()}, used)


def _of_the_logarithm(model: Model, point: Point, true: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return how far a gradient may be from that of the loss, as its logarithm is of `p + eps`.

    People derive `log(p)`. Where samples cancel in an entry, what eps does to each of them may be
    much of it, so the entries of the gradient without eps are taken, not a part of its size.
    """
    plain = LOSSES.get(model.loss_name)
    if plain is None or not model.loss.eps:
        return {name: np.zeros(array.shape) for name, array in true.items()}
    with np.errstate(all="ignore"):
        without = model.with_(loss=plain).named_grads(point)
    shifts = {name: np.abs(without[name] - array) for name, array in true.items()}
    return {name: np.where(np.isfinite(shift), shift, 0.0) for name, shift in shifts.items()}


def like_at(model: Model, here: Slopes) -> dict[str, Array] | None:
    """Return the gradient of a model at a point; None where its loss is another.

    Saturated, a clipped or shifted logarithm makes another function of the loss.
    """
    with np.errstate(all="ignore"):
        value = float(model.value(read(model.layout, [here.point]))[0])
        true = model.named_grads(here.point)
    like = max(LIKE, 30 * here.rough)
    near = abs(value - here.loss) <= like * abs(here.loss)
    return true if near and all(np.isfinite(t).all() for t in true.values()) else None


def refuted(model: Model, taken: Sequence[Slopes]) -> bool:
    """Whether differences show that a model is of another function than the loss."""
    for here in taken:
        true = like_at(model, here)
        if true is None:
            continue
        compared = compare(true, here, max(RELATIVE, PER_EPS * model.loss.eps))
        if any(p.differ.any() and error_of(p) > ANOTHER for p in compared.values()):
            return True
    return False
