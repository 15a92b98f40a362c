"""How the factor of a loss depends on the number of samples: a mean, a sum, a number written in."""

from __future__ import annotations

import numpy as np

from diagnosis.fitting import solve
from diagnosis.model import Model, read
from diagnosis.probing import Probes, part
from diagnosis.subject import Subject
from diagnosis.views import Layout


def with_fewer_samples(
    model: Model, subject: Subject, probes: Probes, exact: float
) -> tuple[Model, int | None]:
    """Find how the loss's factor depends on the number of samples.

    Returns:
        The model with the factor for another number, and that number; None where the subject takes
        no other.
    """
    samples = next(iter(model.factors))
    if probes.own_data:
        return model, None
    if model.masks or any(v.b is not None and v.b.index.ndim == 2 for v in model.layout.layers):
        return model, None
    for fewer in _other_sizes(model.layout, samples):
        points = [part(p, model.layout.rows, range(fewer)) for p in probes.points(10)]
        y = subject.losses(points)
        if not np.isfinite(y).all():
            continue
        batch = read(model.layout, points)
        added = model.with_(factors={fewer: np.zeros(1)})
        rest = (y**2 if model.rooted else y) - (
            added.value(batch) ** 2 if model.rooted else added.value(batch)
        )
        core = added.core(added.forward(batch)[0][-1], batch.Y)
        core = core if next(iter(model.factors.values())).size > 1 else np.sum(core, axis=-1)
        fit = solve(rest, core, None)
        if fit.rest <= 10 * exact:
            return model.with_(factors={**model.factors, fewer: fit.core}), fewer
    return model, None


def _other_sizes(layout: Layout, samples: int) -> list[int]:
    # A number that is no width, so that a factor of m is no factor of a width.
    taken = {*layout.widths, *(w + 1 for w in layout.widths)}
    usual = [n for n in range(max(2, samples // 2), samples) if n not in taken]
    return [*usual[:3], *[n for n in range(2, samples) if n not in usual][:2]]
