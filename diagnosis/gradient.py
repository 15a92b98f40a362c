"""Is it the gradient of the loss: every array, at several points, away from kinks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from diagnosis.calls import Array, Point
from diagnosis.model import Model, read
from diagnosis.subject import Subject

# A clean float64 loss: see the notes on tolerances in docs/diagnose.md.
RELATIVE = 2e-6
ABSOLUTE = 3e-9
PART = 1e-3
PER_EPS = 100
FLOATS = {"float32": 1e-3, "float16": 5e-2}
ALL = 2500
SAMPLE = 40
BUDGET = 4.0
LIKE = 1e-7


@dataclass(frozen=True)
class ArrayCheck:
    """What was found of one array.

    Attributes:
        error: the largest `|g - n| / max(|g|, |n|)` over the points, in Euclidean norms.
        ok: no entry differs by more than the check can be sure of.
        checked, size: entries looked at and entries there are.
        kinks: entries left out, because the loss has a kink there.
        ratio: `g / n` where it is the same for all entries and points, else None.
    """

    error: float
    ok: bool
    checked: int
    size: int
    kinks: int = 0
    ratio: float | None = None


@dataclass(frozen=True)
class Slopes:
    """The numerical gradient at a point: chosen entries of each array, value, doubt, noise."""

    point: Point
    loss: float
    rough: float
    entries: Mapping[str, Sequence[int]]
    found: Mapping[str, Array]


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
    told = subject.ask("slopes", **point._asdict(), entries=dict(entries))
    return Slopes(point, told["loss"], told["rough"], entries, told["slopes"])


def affordable(subject: Subject, point: Point) -> int:
    """Return how many entries of an array can be differenced in the time there is."""
    begin = time.monotonic()
    subject.losses([point] * 5)
    each = max((time.monotonic() - begin) / 5, 2e-5)
    per_array = BUDGET / (5 * each) / 3 / max(1, len(subject.params))
    if subject.size <= ALL and 5 * each * subject.size < BUDGET:
        return ALL
    return int(np.clip(per_array, 6, SAMPLE))


def tolerance_of(dtypes: Mapping[str, str], rough: float) -> float:
    """Return the relative tolerance for gradients of these types of a loss this rough."""
    widest = max((FLOATS.get(kind, 0.0) for kind in dtypes.values()), default=0.0)
    return max(RELATIVE, widest, 300 * np.sqrt(rough) if rough > 1e-12 else 0.0)


def compare(
    grads: Mapping[str, Array], taken: Slopes, tolerance: float
) -> dict[str, tuple[Array, Array, Array, int]]:
    """Return for each array g, n, which entries differ, and how many are at a kink."""
    compared = {}
    for name, (n, doubt, noise) in taken.found.items():
        g = np.asarray(grads[name], float).reshape(-1)[list(taken.entries[name])]
        top = float(np.max(np.abs(n[np.isfinite(n)]), initial=0.0))
        unit = np.maximum(np.maximum(np.abs(g), np.abs(n)), PART * top)
        known = np.isfinite(n) & (doubt <= np.maximum(1e-3 * unit, 10 * noise))
        sure = tolerance * unit + ABSOLUTE * (1 + abs(taken.loss)) + 4 * noise + 4 * doubt
        differ = ~(np.abs(g - n) <= sure)
        compared[name] = (g[known], n[known], differ[known], int(np.count_nonzero(~known)))
    return compared


def unclipped(
    pairs: Sequence[Mapping[str, tuple[Array, Array, Array, int]]],
) -> list[Mapping[str, tuple[Array, Array, Array, int]]]:
    """Take differences back that are a gradient clipped on purpose, by entry or by norm.

    By entry: those that differ are all of one size, the largest there is, and point where the true
    ones do, which are larger. By norm: all arrays are one factor below 1 times the true ones, and
    the whole has the same norm at all points where it is.
    """
    limit = max(
        (float(np.max(np.abs(g), initial=0.0)) for p in pairs for g, _, _, _ in p.values()),
        default=0.0,
    )
    norms = [_norm_clipped(p) for p in pairs]
    used = [n for n in norms if n]
    whole = len(used) > 1 and np.ptp(used) <= 1e-6 * max(used)
    found: list[Mapping[str, tuple[Array, Array, Array, int]]] = []
    for p, norm in zip(pairs, norms, strict=True):
        by_entry = all(
            np.all(np.abs(np.abs(g[d]) - limit) <= 1e-9 * limit)
            and np.all(g[d] * n[d] > 0)
            and np.all(np.abs(n[d]) >= limit)
            for g, n, d, _ in p.values()
        )
        if by_entry or (whole and norm):
            found.append(
                {
                    k: (np.where(d, n, g), n, np.zeros_like(d), kinks)
                    for k, (g, n, d, kinks) in p.items()
                }
            )
        else:
            found.append(p)
    return found


def _norm_clipped(p: Mapping[str, tuple[Array, Array, Array, int]]) -> float | None:
    """Return the norm of a gradient that is the true one scaled down; None if it is not."""
    g = np.concatenate([v[0] for v in p.values()])
    n = np.concatenate([v[1] for v in p.values()])
    if not n.any() or not any(v[2].any() for v in p.values()) or not np.isfinite(g).all():
        return None
    r = float(g @ n / (n @ n))
    if not 0 < r < 1 or np.linalg.norm(g - r * n) > 1e-7 * np.linalg.norm(g):
        return None
    return float(np.linalg.norm(g))


def verdicts(
    pairs: Sequence[Mapping[str, tuple[Array, Array, Array, int]]], sizes: Mapping[str, int]
) -> dict[str, ArrayCheck]:
    """Join comparisons at several points."""
    checks = {}
    pairs = unclipped(pairs)
    for name, size in sizes.items():
        g, n, differ = (np.concatenate([p[name][i] for p in pairs]) for i in range(3))
        error = max((_error(p[name][0], p[name][1]) for p in pairs), default=0.0)
        checks[name] = ArrayCheck(
            error, not differ.any(), max(len(p[name][0]) for p in pairs), size,
            max(p[name][3] for p in pairs), ratio(g, n),
        )  # fmt: skip
    return checks


def _error(g: Array, n: Array) -> float:
    if not np.isfinite(g).all():
        return float("inf")
    top = max(float(np.linalg.norm(g)), float(np.linalg.norm(n)))
    return float(np.linalg.norm(g - n)) / top if top > 0 else 0.0


def ratio(g: Array, n: Array) -> float | None:
    """Return the one factor between two arrays, if there is one."""
    if not n.any() or not np.isfinite(g).all():
        return None
    factor = float(g @ n / (n @ n))
    rest = np.linalg.norm(g - factor * n)
    return factor if rest <= 1e-5 * np.linalg.norm(g) and factor else None


def by_model(
    subject: Subject,
    model: Model,
    points: Sequence[Point],
    grads: Sequence[Mapping[str, Array]],
    tolerance: float,
) -> dict[str, ArrayCheck]:
    """Compare every entry with the gradient of the model that reproduces the loss."""
    tolerance = max(tolerance, PER_EPS * model.loss.eps)
    pairs = []
    losses = subject.losses(points)
    for point, given, loss in zip(points, grads, losses, strict=True):
        with np.errstate(all="ignore"):
            value = float(model.value(read(model.layout, [point]))[0])
            true = model.named_grads(point)
        # Saturated, a clipped or shifted logarithm makes another function of the loss.
        if not abs(value - loss) <= LIKE * abs(loss) or not all(
            np.isfinite(t).all() for t in true.values()
        ):
            continue
        made = {}
        for name in subject.params:
            g, n = np.asarray(given[name], float).reshape(-1), true[name].reshape(-1)
            top = float(np.max(np.abs(n), initial=0.0))
            unit = np.maximum(np.maximum(np.abs(g), np.abs(n)), PART * top)
            made[name] = (g, n, ~(np.abs(g - n) <= tolerance * unit + 1e-12 + 1e-9 * top), 0)
        pairs.append(made)
    return verdicts(pairs, {name: a.size for name, a in subject.params.items()})
