"""Slopes of a loss by differences, where the loss may be rough.

`bpcore.gradcheck` compares a gradient with differences and trusts the loss to double precision. A
stranger's loss may be computed in float32, or draw random numbers that nobody can put back. So its
roughness is measured first, the steps are chosen by it, and every slope comes with its doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from diagnosis.calls import Array

EPS = float(np.finfo(float).eps)
# Largest first: a smaller step leaves a kink close by behind. Richardson's error is of the fourth
# order in the step, rounding of the first in its inverse.
FINE = (1e-4, 1e-5, 1e-6)
COARSE = (3e-2, 1e-2, 3e-3)
ROUGH = 1e-12
ENOUGH = 1e-7
SINGLE = float(np.finfo(np.float32).eps) / 2
# Rounding that leaves less than four digits of a slope: longer steps may leave more.
LOUD = 1e-4
ACROSS = np.linspace(-1, 1, 9)
VANDER = np.vander(ACROSS, 5)
CLOSE_BY = 1e-5 * (3 + ACROSS)


def direction_of(params: Mapping[str, Array]) -> dict[str, Array]:
    """Return a direction in which all entries move, none as another."""
    return {n: np.cos(1 + np.arange(a.size)).reshape(a.shape) for n, a in params.items()}


def along_points(params: Mapping[str, Array], side: int) -> list[dict[str, Array]]:
    """Return parameters at the 9 close points of a line on one side of where they are."""
    direction = direction_of(params)
    return [
        {n: np.asarray(a, float) + side * t * direction[n] for n, a in params.items()}
        for t in CLOSE_BY
    ]


def roughness(along: Callable[[float], float]) -> float:
    """Return how far a loss is from smooth, of its own size, along lines of 9 close points.

    A polynomial of degree 4 fits any smooth loss there; what it leaves is rounding or chance. Of
    two lines, on either side of the point, the smoother one counts: the other may cross a kink.
    """
    rough, single = [], True
    for side in (-1, 1):
        values = np.array([along(side * t) for t in CLOSE_BY])
        if not np.isfinite(values).all():
            return float("nan")
        rest = values - VANDER @ np.linalg.lstsq(VANDER, values, rcond=None)[0]
        single &= bool(np.array_equal(values, values.astype(np.float32)) and values.any())
        rough.append(float(np.max(np.abs(rest))) / max(float(np.max(np.abs(values))), 1e-300))
    # On a step of float32 a loss looks smooth; that all its values are float32 is no chance.
    return max(min(rough), SINGLE) if single else min(rough)


def slope(along: Callable[[float], float], here: float, size: float, rough: float) -> Array:
    """Return the slope of `along` at 0, its doubt and its noise, `(3,)`.

    Args:
        along: the loss as a function of the displacement of one entry.
        here: `along(0)`.
        size: the entry itself; steps are relative to `max(1, |size|)`.
        rough: from `roughness`.
    """
    if rough > ROUGH:
        return _by_steps(along, here, size, rough, COARSE)
    found = _by_steps(along, here, size, rough, FINE)
    if not found[2] > LOUD * abs(found[0]) > 0:
        return found
    longer = _by_steps(along, here, size, rough, COARSE)
    return min(found, longer, key=lambda v: float(v[1] + v[2]))


def _by_steps(
    along: Callable[[float], float], here: float, size: float, rough: float, steps: Sequence[float]
) -> Array:
    best = np.array([np.nan, np.inf, np.inf])
    for relative in steps:
        h = relative * max(1.0, abs(size))
        means, gaps, top = [], [], abs(here)
        for step in (h, h / 2):
            above, below = along(step), along(-step)
            top = max(top, abs(above), abs(below))
            means.append((above - below) / (2 * step))
            gaps.append((above - 2 * here + below) / step)
        doubt = abs(means[0] - means[1]) + abs(gaps[1] - gaps[0] / 2)
        noise = max(8 * EPS, 2 * rough) * top / (h / 2)
        found = np.array([(4 * means[1] - means[0]) / 3, doubt, noise])
        if not np.isfinite(found[0]):
            return np.array([np.nan, np.inf, np.inf])
        if doubt <= max(ENOUGH * abs(found[0]), noise):
            return found
        if doubt < best[1]:
            best = found
    return best
