"""A gradient check of every entry of every array, which knows kinks.

For an entry at `p` and a step `h`, two one-sided differences and their mean,

    D+ = (L(p + h) - L(p)) / h,   D- = (L(p) - L(p - h)) / h,   n(h) = (D+ + D-) / 2.

Where L is smooth, the gap `D+ - D-` halves with the step and `n` settles as `h^2`, so that
`(4 n(h/2) - n(h)) / 3` is right to `h^4`. At a kink the gap stays. What the entry
cannot tell is therefore

    doubt = |n(h) - n(h/2)| + |gap(h/2) - gap(h) / 2|,

taken at the first step, out of a few, where it is small: a smaller step leaves a kink close by
behind, but not a kink at `p` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng

from bpcore.activations import Array
from bpcore.batches import FullBatch
from bpcore.spec import Data, RunSpec, StackSpec
from bpcore.stack import Network, views
from bpcore.start import start

LossOf = Callable[[Mapping[str, Array]], float]

# Relative to max(1, |p|). Richardson's error at the first is 1e-16 of the fifth derivative, and
# rounding of the loss makes 1e-11 of it.
STEPS = (1e-4, 1e-5, 1e-6)
# A loss is a sum of rounded terms: this many units of rounding are expected of it.
ROUNDINGS = 8
# Entries are measured against at least this part of the largest of their array.
PART = 1e-3


@dataclass(frozen=True)
class ArrayCheck:
    """What the check says of one array.

    Attributes:
        ok: everything is finite, something was checked, and `worst` and `norm_error` are within the
            tolerance.
        norm_error: `|g - n| / max(|g|, |n|, floor)` in Euclidean norms over the entries checked,
            `g` the gradient in question and `n` the numerical one. The floor is what rounding
            makes of zero, over the tolerance: a difference that rounding explains passes.
        worst: the largest `|g_i - n_i| / max(|g_i|, |n_i|, floor_i)` of an entry, where
            `floor_i` is also at least 1e-3 of the largest `|n_j|` of the array.
        worst_at: where; None if nothing was checked.
        checked: entries compared.
        kinks: entries left out because their doubt is above the tolerance.
        size: entries there are; more than `checked + kinks` if only a sample was looked at.
    """

    ok: bool
    norm_error: float
    worst: float
    worst_at: tuple[int, ...] | None
    checked: int
    kinks: int
    size: int


class _Slope(NamedTuple):
    value: float
    doubt: float
    noise: float


def _slope_at_step(loss_at: Callable[[float], float], here: float, h: float) -> _Slope:
    """Difference a loss, given as a function of the displacement, with steps `h` and `h/2`."""
    means, gaps, largest = [], [], abs(here)
    for step in (h, h / 2):
        above, below = loss_at(step), loss_at(-step)
        largest = max(largest, abs(above), abs(below))
        means.append((above - below) / (2 * step))
        gaps.append((above - 2 * here + below) / step)
    doubt = abs(means[0] - means[1]) + abs(gaps[1] - gaps[0] / 2)
    noise = ROUNDINGS * float(np.finfo(float).eps) * largest / (h / 2)
    return _Slope((4 * means[1] - means[0]) / 3, doubt, noise)


def _slope(loss_at: Callable[[float], float], here: float, size: float, enough: float) -> _Slope:
    """Return the slope at the first step with a doubt of `enough` of it, or no more than rounding.

    If there is none, return that of least doubt.
    """
    best = _Slope(np.nan, np.inf, np.inf)
    for step in STEPS:
        found = _slope_at_step(loss_at, here, step * max(1.0, size))
        settled = found.doubt <= max(enough * abs(found.value), found.noise)
        if settled or not np.isfinite(found.value):
            return found
        best = min(best, found, key=lambda slope: slope.doubt)
    return best


def _slopes(
    loss: LossOf, point: dict[str, Array], name: str, at: Sequence[tuple[int, ...]], enough: float
) -> Array:
    """Return value, doubt and noise of the chosen entries of one array, `(3, k)`."""
    array, here = point[name], float(loss(point))

    def slope(entry: tuple[int, ...]) -> _Slope:
        p = array[entry]

        def loss_at(displacement: float) -> float:
            array[entry] = p + displacement
            value = float(loss(point))
            array[entry] = p
            return value

        return _slope(loss_at, here, abs(p), enough)

    return np.array([slope(entry) for entry in at], float).reshape(-1, 3).T


def _judge(
    g: Array, slopes: Array, at: Sequence[tuple[int, ...]], size: int, tolerance: float
) -> ArrayCheck:
    n, doubt, noise = slopes
    if not size:
        return ArrayCheck(True, 0.0, 0.0, None, 0, 0, 0)
    if not (np.isfinite(g).all() and np.isfinite(n).all()):
        bad = at[int(np.argmin(np.isfinite(g) & np.isfinite(n)))]
        return ArrayCheck(False, np.nan, np.nan, bad, len(g), 0, size)
    floor = np.maximum(noise / tolerance, PART * np.max(np.abs(n)))
    known = doubt <= tolerance * np.maximum(np.abs(n), floor)
    if not known.any():
        return ArrayCheck(False, np.nan, np.nan, None, 0, len(n), size)
    g, n, floor = g[known], n[known], floor[known]
    # The tiniest number only spares the quotient 0 / 0.
    errors = np.abs(g - n) / np.maximum.reduce([np.abs(g), np.abs(n), floor + 5e-324])
    worst = int(np.argmax(errors))
    norms = [float(np.linalg.norm(v)) for v in (g, n, noise[known] / tolerance)]
    norm_error = float(np.linalg.norm(g - n)) / max(*norms, 5e-324)
    return ArrayCheck(
        bool(max(norm_error, errors[worst]) <= tolerance),
        norm_error,
        float(errors[worst]),
        at[int(np.flatnonzero(known)[worst])],
        len(n),
        int(np.count_nonzero(~known)),
        size,
    )


def gradcheck(
    loss: LossOf,
    params: Mapping[str, Array],
    grads: Mapping[str, Array],
    *,
    tolerance: float = 1e-6,
    sample: int | None = None,
    rng: Generator | None = None,
) -> dict[str, ArrayCheck]:
    """Compare gradients with central differences in float64, entry by entry.

    Check at weights of order 1 and biases off zero: at a tiny start a wrong derivative hides.

    Args:
        loss: a pure function of all arrays; it is handed float64 copies of them.
        params: the point.
        grads: for some or all of `params`, the gradient to be checked, of the same shape.
        tolerance: the relative error above which an array is wrong.
        sample: look at no more than so many entries of an array, chosen by `rng`; None: at all.
        rng: for `sample`; default seeded with 0.

    Returns:
        A verdict for each array of `grads`. NaN and infinity, in a gradient or a loss, fail.

    Raises:
        ValueError: a gradient without a parameter, or of another shape.

    Example:
        >>> check = gradcheck(lambda p: float(p["w"] @ p["w"]), {"w": [1, 2]}, {"w": [2, -4]})
        >>> check["w"].ok, check["w"].worst_at, round(check["w"].worst, 6)
        (False, (1,), 2.0)
    """
    rng = rng or default_rng(0)
    point = {name: np.array(array, float) for name, array in params.items()}
    checks = {}
    for name, grad in grads.items():
        g = np.asarray(grad, float)
        if name not in point or g.shape != point[name].shape:
            shapes = ", ".join(f"{key} {array.shape}" for key, array in point.items())
            msg = f"`grads` must have the shapes of params, {shapes}; got {name} {g.shape}."
            raise ValueError(msg)
        at = list(np.ndindex(g.shape))
        if sample is not None and sample < len(at):
            at = [at[i] for i in np.sort(rng.choice(len(at), sample, replace=False))]
        chosen = np.array([g[entry] for entry in at])
        with np.errstate(all="ignore"):  # what is not finite fails below
            slopes = _slopes(loss, point, name, at, tolerance / 10)
            checks[name] = _judge(chosen, slopes, at, g.size, tolerance)
    return checks


def gradcheck_stack(
    spec: StackSpec,
    runs: Sequence[RunSpec],
    data: Data,
    point: Array | None = None,
    *,
    tolerance: float = 1e-7,
) -> list[dict[str, ArrayCheck]]:
    """Check a stack's own backward against its own loss, on all training data in one step.

    Args:
        spec: the networks, defects included; they are computed in float64 whatever its dtype.
        runs: the runs, which travel in one stack.
        data: prepared data.
        point: `(R, P)` parameters; None is the start of the runs.
        tolerance: as in `gradcheck`.

    Returns:
        For each run a verdict on `Wb1`, `Wb2`, ...: `[W b]`, `(n_out, n_in + 1)`.
    """
    spec = replace(spec, dtype="float64")
    parameters = start(spec, runs)
    if point is not None:
        parameters.flat[:] = point
    network = Network(spec, parameters, np.zeros_like(parameters.flat), data.X.shape[1])
    network.bind(*FullBatch(spec, data).arrays)
    network.forward()
    network.backward()

    def named(flat: Array, run: int) -> dict[str, Array]:
        cut = views(flat, spec.sizes, bias=spec.bias)
        return {f"Wb{k + 1}": Wb[run].copy() for k, Wb in enumerate(cut)}

    def loss_of(run: int) -> LossOf:
        cut = views(parameters.flat, spec.sizes, bias=spec.bias)

        def loss(params: Mapping[str, Array]) -> float:
            for k, Wb in enumerate(cut):
                Wb[run] = params[f"Wb{k + 1}"]
            network.forward()
            return float(network.loss()[run])

        return loss

    return [
        gradcheck(
            loss_of(r), named(parameters.flat, r), named(network.grads, r), tolerance=tolerance
        )
        for r in range(len(runs))
    ]
