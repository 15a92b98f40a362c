"""What the gradient check rests on: differences and the author's gradients, at points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from diagnosis import grain
from diagnosis.calls import Array, Point
from diagnosis.errors import SubjectFailed
from diagnosis.gradient import (
    LEAST,
    RELATIVE,
    ArrayCheck,
    Slopes,
    affordable,
    choose,
    compare,
    slopes,
    verdicts,
)
from diagnosis.probing import Probes
from diagnosis.subject import Subject

# Entries of each array at points after the first, and where a loss takes long.
LATER, FEWEST = 15, 2
MODERATE = 5.0


@dataclass(frozen=True)
class Evidence:
    """Numerical gradients, and the author's at the same points.

    Attributes:
        taken: the differences.
        grads: the author's gradients.
        tolerance: relative, of what is compared.
        grains: how far rounding moves the author's, where it was measured.
    """

    taken: list[Slopes]
    grads: list[dict[str, Array]]
    tolerance: float = RELATIVE
    grains: Sequence[dict[str, Array] | None] = ()

    @property
    def rough(self) -> float:
        """How far the loss is from smooth, of its own size."""
        return max((t.rough for t in self.taken if np.isfinite(t.rough)), default=0.0)

    def with_grain(self, subject: Subject, dtypes: Mapping[str, str]) -> Evidence:
        """Measure how exactly gradients of these types can be compared."""
        tolerance, grains = grain.measured(subject, self.taken, dtypes)
        return replace(self, tolerance=tolerance, grains=grains)

    def checks(self, params: Mapping[str, Array]) -> dict[str, ArrayCheck]:
        """Compare both, array by array."""
        grains = self.grains or [None] * len(self.taken)
        pairs = [
            compare(given, here, self.tolerance, moved)
            for given, here, moved in zip(self.grads, self.taken, grains, strict=True)
        ]
        return verdicts(pairs, {name: a.size for name, a in params.items()}, self.grads)


def gathered(subject: Subject, probes: Probes, rng: Generator) -> Evidence:
    """Take differences at points of order one, or near the start where there is no loss at those.

    Raises:
        SubjectFailed: the loss or a gradient is nowhere finite.
    """
    points = [probes.point(), probes.point(), _on_the_data(subject, probes)]
    most = affordable(subject, points[0])
    later = min(most, LATER) if most > LEAST else FEWEST
    found = Evidence([], [])
    for i, point in enumerate(points):
        made = subject.try_grads(point)
        if made is None:
            continue
        entries = choose(subject.params, most if not i else later, rng)
        taken = slopes(subject, point, entries)
        if np.isfinite(taken.loss):
            found.taken.append(taken)
            found.grads.append(made)
    if not found.taken:
        return _nearer(subject, rng)
    for name in subject.params:
        if not any(np.isfinite(made[name]).all() for made in found.grads):
            msg = f"`grads` must return finite numbers; got NaN or infinity in {name}."
            raise SubjectFailed(msg)
    return found


def _on_the_data(subject: Subject, probes: Probes) -> Point:
    """Return a point with the author's inputs, unless they would saturate everything."""
    X = np.asarray(subject.X, float)
    return probes.point(inputs=bool(np.sqrt(np.mean(X**2)) > MODERATE))


def _nearer(subject: Subject, rng: Generator) -> Evidence:
    for scale in (0.1, 0.01, 0.0):
        moved = {
            name: np.asarray(a, float)
            + scale * rng.standard_normal(a.shape) * max(float(np.std(a)), 1e-3)
            for name, a in subject.params.items()
        }
        point = Point(moved, subject.X, subject.Y)
        made = subject.try_grads(point)
        if made is None:
            continue
        taken = slopes(subject, point, choose(subject.params, 40, rng))
        if np.isfinite(taken.loss) and all(np.isfinite(g).all() for g in made.values()):
            return Evidence([taken], [made])
    msg = "The loss is not a finite number, neither at the start nor at weights of order one."
    raise SubjectFailed(msg)
