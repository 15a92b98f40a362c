"""How far rounding moves the author's gradient, where it is no float64: measured, not assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diagnosis.calls import Array, Point
from diagnosis.differences import VANDER, along_points
from diagnosis.errors import CallFailed
from diagnosis.gradient import FLOATS, RELATIVE, SMOOTH, Slopes, norm, tolerance_of
from diagnosis.subject import Subject

# Between the roundings of float32, 1e-7, and of float16, 1e-3.
HALF = 1e-5


def measured(
    subject: Subject, taken: Sequence[Slopes], dtypes: Mapping[str, str]
) -> tuple[float, list[dict[str, Array] | None]]:
    """Return the relative tolerance for a gradient, and its rounding at points.

    A program may say float32 and compute in float64 with the points it is given, or the reverse.
    """
    rough = max((t.rough for t in taken if np.isfinite(t.rough)), default=0.0)
    nothing: list[dict[str, Array] | None] = [None] * len(taken)
    if rough <= SMOOTH and tolerance_of(dtypes) <= RELATIVE:
        return RELATIVE, nothing
    grains = [_grain(subject, here.point) for here in taken]
    known = [g for g in grains if g is not None]
    if rough <= SMOOTH and known and all(max(parts) <= SMOOTH for _, parts in known):
        return RELATIVE, nothing
    loss = FLOATS["float16"] if rough > HALF else FLOATS["float32"] if rough > SMOOTH else 0.0
    return max(loss, tolerance_of(dtypes)), [g and g[0] for g in grains]


def _moved(point: Point, side: int) -> list[Point]:
    """Return points of a line on which data move too, as rounding them is a part of it."""
    data = {"X": np.asarray(point.X), "Y": np.asarray(point.Y)}
    # Whole numbers may be labels or indices, which float32 does not round.
    free = {n: a for n, a in data.items() if a.dtype.kind == "f" and np.any(a != np.round(a))}
    moved = along_points(free, side)
    return [
        point._replace(params=params, **near)
        for params, near in zip(along_points(point.params, side), moved, strict=True)
    ]


def _grain(subject: Subject, point: Point) -> tuple[dict[str, Array], list[float]] | None:
    """Return what a smooth curve leaves of each entry along a line, and that of each array's norm.

    As for the loss, of the two sides of the point the smoother one counts.
    """
    sides = []
    for side in (-1, 1):
        points = _moved(point, side)
        try:
            made = subject.in_turn(points)
        except CallFailed:
            return None
        rests, parts = {}, []
        for name in subject.params:
            values = np.stack([np.asarray(g[name], float).reshape(-1) for g in made])
            if not np.isfinite(values).all():
                return None
            rest = values - VANDER @ np.linalg.lstsq(VANDER, values, rcond=None)[0]
            rests[name] = np.max(np.abs(rest), axis=0).reshape(subject.params[name].shape)
            size = norm(values)
            parts.append(norm(rest) / size if size else 0.0)
        sides.append((rests, parts))
    return min(sides, key=lambda s: max(s[1], default=0.0))
