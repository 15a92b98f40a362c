"""Is it the gradient of the loss: every array, at several points, away from kinks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from diagnosis import clipping
from diagnosis.calls import Array, Point
from diagnosis.subject import Subject

# A clean float64 loss: see the notes on tolerances in docs/diagnose.md.
RELATIVE = 2e-6
# Entries are sums over samples whose terms are larger than they: an entry is measured by a
# thousandth of the largest of its array at least, and a millionth of the largest of all.
PART = 1e-3
FLOATS = {"float32": 1e-3, "float16": 5e-2}
# Rounding is of the size of what is added up, which the largest entry of all arrays stands for;
# some tens of roundings lie between the data and a gradient.
ROUNDINGS = 30
EPS = {FLOATS[kind]: float(np.finfo(kind).eps) for kind in FLOATS}
# Noise is the largest of 18 rests, or a bound by eps; of many entries one may be some times as far.
TIMES = 4
# A loss to 12 digits is one in double precision, whatever its sums.
SMOOTH = 1e-12
# Where nothing but noise lets a number pass that may be a tenth off, it was not checked.
UNSEEN = 0.1
ALL = 2500
LEAST, SAMPLE = 6, 40
BUDGET = 4.0


@dataclass(frozen=True)
class ArrayCheck:
    """What was found of one array.

    Attributes:
        error: the largest `|g - n| / max(|g|, |n|)` over the points, in Euclidean norms; of arrays
            that are no more than noise, of the norm of the whole gradient.
        ok: no entry differs by more than the check can be sure of.
        checked, size: entries looked at and entries there are.
        kinks: entries left out, because the loss has a kink there.
        ratio: `g / n` where it is the same for all entries and points, else None.
        clipped: how it is cut down on purpose; empty where it is not.
        unseen: nothing could be compared, or only with noise.
    """

    error: float
    ok: bool
    checked: int
    size: int
    kinks: int = 0
    ratio: float | None = None
    clipped: str = ""
    unseen: bool = False

    @property
    def wrong(self) -> bool:
        """Whether it was seen to differ."""
        return not self.ok and not self.unseen

    @property
    def verdict(self) -> str:
        """A word for a reader: ok, clipped, wrong or not checked."""
        if self.unseen:
            return "not checked"
        return ("clipped" if self.clipped else "ok") if self.ok else "wrong"


@dataclass(frozen=True)
class Slopes:
    """The numerical gradient at a point: chosen entries of each array, value, doubt, noise."""

    point: Point
    loss: float
    rough: float
    entries: Mapping[str, Sequence[int]]
    found: Mapping[str, Array]


class Compared(NamedTuple):
    """Entries of one array at one point.

    Attributes:
        g, n: the author's gradient and the true one.
        differ: by more than the check can be sure of.
        kinks: entries that could not be compared.
        measure: the norm that a difference is measured by.
    """

    g: Array
    n: Array
    differ: Array
    kinks: int
    measure: float


def choose(params: Mapping[str, Array], most: int, rng: Generator) -> dict[str, list[int]]:
    """Choose up to `most` entries of each array."""
    return {
        name: list(range(a.size))
        if a.size <= most
        else sorted(rng.choice(a.size, most, replace=False).tolist())
        for name, a in params.items()
    }


def slopes(subject: Subject, point: Point, entries: Mapping[str, Sequence[int]]) -> Slopes:
    """Ask the subject's loss for the slopes of entries at a point."""
    return slopes_at(subject, [point], entries)[0]


def slopes_at(
    subject: Subject, points: Sequence[Point], entries: Mapping[str, Sequence[int]]
) -> list[Slopes]:
    """Ask the subject's loss for the slopes of the same entries at several points."""
    message = [point._asdict() for point in points]
    told = subject.ask("slopes", points=message, entries=dict(entries))
    return [
        Slopes(point, here["loss"], here["rough"], entries, here["slopes"])
        for point, here in zip(points, told, strict=True)
    ]


def affordable(subject: Subject, point: Point) -> int:
    """Return how many entries of an array can be differenced in the time there is."""
    begin = time.monotonic()
    subject.losses([point] * 5)
    each = max((time.monotonic() - begin) / 5, 2e-5)
    per_array = BUDGET / (5 * each) / 3 / max(1, len(subject.params))
    if subject.size <= ALL and 5 * each * subject.size < BUDGET:
        return ALL
    return int(np.clip(per_array, LEAST, SAMPLE))


def tolerance_of(dtypes: Mapping[str, str]) -> float:
    """Return the relative tolerance for gradients of these types."""
    return max(RELATIVE, max((FLOATS.get(kind, 0.0) for kind in dtypes.values()), default=0.0))


def norm(values: Array) -> float:
    """Return the Euclidean norm, of numbers near the largest there are too."""
    top = float(np.max(np.abs(values), initial=0.0))
    if not 0 < top < np.inf:
        return top
    return top * float(np.linalg.norm(values / top))


def compare(
    grads: Mapping[str, Array],
    taken: Slopes,
    tolerance: float,
    grain: Mapping[str, Array] | None = None,
) -> dict[str, Compared]:
    """Compare a gradient with differences.

    Args:
        grads: the author's.
        taken: the differences, at the same point.
        tolerance: relative.
        grain: how far rounding moves the entries of the author's, where that was measured.
    """
    true = {name: found[0] for name, found in taken.found.items()}
    whole = whole_of(true)
    compared = {}
    for name, (n, doubt, noise) in taken.found.items():
        g = _chosen(grads[name], taken.entries[name])
        least = TIMES * (noise + doubt)
        if grain is not None:
            least = least + 2 * TIMES * _chosen(grain[name], taken.entries[name])
        unit = unit_of(g, n, whole, tolerance)
        # What is no number is not left out: it fails.
        sharp = doubt <= np.maximum(1e-3 * unit, 10 * noise)
        known = np.isfinite(n) & (sharp | ~np.isfinite(g))
        compared[name] = compared_of(g, n, tolerance * unit, least, known, whole)
    return compared


def _chosen(array: Array, entries: Sequence[int]) -> Array:
    return np.asarray(array, float).reshape(-1)[list(entries)]


def whole_of(true: Mapping[str, Array]) -> Array:
    """Return all finite entries of a gradient."""
    every = np.concatenate([np.asarray(n, float).reshape(-1) for n in true.values()])
    return np.asarray(every[np.isfinite(every)])


def unit_of(g: Array, n: Array, whole: Array, tolerance: float) -> Array:
    """Return what the entries of an array are measured by."""
    top = float(np.max(np.abs(n[np.isfinite(n)]), initial=0.0))
    of_all = max(PART**2, ROUNDINGS * EPS.get(tolerance, 0.0) / tolerance)
    least = max(PART * top, of_all * float(np.max(np.abs(whole), initial=0.0)))
    return np.asarray(np.maximum(np.maximum(np.abs(g), np.abs(n)), least))


def compared_of(
    g: Array, n: Array, relative: Array, least: Array, known: Array, whole: Array
) -> Compared:
    """Compare entries; those not known are left out."""
    g, n, relative, least = (np.broadcast_to(v, g.shape)[known] for v in (g, n, relative, least))
    differ = ~(np.abs(g - n) <= relative + least)
    nothing = bool(np.all(np.maximum(np.abs(g), np.abs(n)) <= relative + least))
    measure = norm(whole) if nothing else max(norm(g), norm(n))
    return Compared(g, n, differ, int(np.count_nonzero(~known)), measure)


def verdicts(
    pairs: Sequence[Mapping[str, Compared]],
    sizes: Mapping[str, int],
    grads: Sequence[Mapping[str, Array]],
) -> dict[str, ArrayCheck]:
    """Join comparisons at several points.

    Args:
        pairs: of each point, for each array.
        sizes: of the arrays.
        grads: the author's, all of it, at the same points.
    """
    how = clipping.seen(pairs, grads)
    return {name: _verdict([p[name] for p in pairs], size, how) for name, size in sizes.items()}


def _verdict(pairs: Sequence[Compared], size: int, how: str) -> ArrayCheck:
    g, n, differ = (np.concatenate([p[i] for p in pairs]) for i in range(3))
    error = max(error_of(p) for p in pairs)
    clipped = how if differ.any() else ""
    same = bool(clipped) or not differ.any()
    unseen = same and not clipped and size > 0 and not (len(g) and error <= UNSEEN)
    return ArrayCheck(
        error, same and not unseen, max(len(p.g) for p in pairs), size,
        max(p.kinks for p in pairs), ratio(g, n), clipped, unseen,
    )  # fmt: skip


def error_of(compared: Compared) -> float:
    """Return the relative error of one array at one point."""
    if not np.isfinite(compared.g).all():
        return float("inf")
    return norm(compared.g - compared.n) / compared.measure if compared.measure > 0 else 0.0


def ratio(g: Array, n: Array) -> float | None:
    """Return the one factor between two arrays, if there is one; 0 where the first is 0."""
    if not n.any() or not np.isfinite(g).all():
        return None
    own, true = norm(g), norm(n)
    if not own:
        return 0.0
    cosine = float((g / own) @ (n / true))
    factor = cosine * own / true
    # The products are taken of parts near 1, as squares of huge or tiny losses have no number.
    return factor if norm(g / own - cosine * (n / true)) <= 1e-5 and factor else None
