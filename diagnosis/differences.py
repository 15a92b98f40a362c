"""Slopes of a loss by differences, where the loss may be rough.

`bpcore.gradcheck` compares a gradient with differences and trusts the loss to double precision. A
stranger's loss may be computed in float32, or draw random numbers that nobody can put back. So its
roughness is measured first, the steps are chosen by it, and every slope comes with its doubt.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diagnosis.calls import Array

EPS = float(np.finfo(float).eps)
# Largest first: a smaller step leaves a kink close by behind. Richardson's error is of the fourth
# order in the step, rounding of the first in its inverse.
FINE = (1e-4, 1e-5, 1e-6)
COARSE = (3e-2, 1e-2, 3e-3)
ROUGH = 1e-12
ENOUGH = 1e-7


def roughness(along: Callable[[float], float]) -> float:
    """Return how far a loss is from smooth, of its own size, along lines of 9 close points.

    A polynomial of degree 4 fits any smooth loss there; what it leaves is rounding or chance. Of
    two lines, on either side of the point, the smoother one counts: the other may cross a kink.
    """
    t = np.linspace(-1, 1, 9)
    vander = np.vander(t, 5)
    rough = []
    for side in (-1, 1):
        values = np.array([along(side * 1e-5 * (3 + s)) for s in t])
        if not np.isfinite(values).all():
            return float("nan")
        rest = values - vander @ np.linalg.lstsq(vander, values, rcond=None)[0]
        rough.append(float(np.max(np.abs(rest))) / max(float(np.max(np.abs(values))), 1e-300))
    return min(rough)


def slope(along: Callable[[float], float], here: float, size: float, rough: float) -> Array:
    """Return the slope of `along` at 0, its doubt and its noise, `(3,)`.

    Args:
        along: the loss as a function of the displacement of one entry.
        here: `along(0)`.
        size: the entry itself; steps are relative to `max(1, |size|)`.
        rough: from `roughness`.
    """
    steps = COARSE if rough > ROUGH else FINE
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
