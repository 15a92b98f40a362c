"""Which output unit and which loss: least squares over points, for many candidates at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from diagnosis.calls import Array
from diagnosis.formulas import OUTPUTS
from diagnosis.losses import EPSILONS, LOSSES, SMOOTHED, WITH_EPS, Loss, even, smoothed
from diagnosis.model import Batch

EXACT = 1e-9
# Sums of the same terms in another order differ by a few units in the last place, those of
# thousands of terms by tens.
ROUNDING = 64 * float(np.finfo(float).eps)
# Where rounding is more than a thousandth of what a loss varies by, other functions fit as well.
RESOLVED = 1e-3
NEAR = 2e-2
# Shares are written with few digits; a fit knows them to as many as it has.
SNAP = 1e-8
COMMON_OUTPUTS = ("softmax", "sigmoid", "identity", "tanh", "relu", "softmax_over_samples",
                  "softmax_over_everything")  # fmt: skip
COMMON_LOSSES = ("squared_error", "binary_cross_entropy", "cross_entropy", "absolute_error",
                 "logits_cross_entropy", "softmax_logits_cross_entropy")  # fmt: skip


# The output these losses are for; they are tried with it whatever the targets are, for labels of
# -1 and 1, or 1 and 2, are a mistake people make.
CLASSES: Mapping[str, str] = MappingProxyType({
    "binary_cross_entropy": "sigmoid", "cross_entropy": "softmax",
    "logits_cross_entropy": "identity", "softmax_logits_cross_entropy": "identity",
})  # fmt: skip


@dataclass(frozen=True)
class Head:
    """An output unit with a loss, and what is known of their factor."""

    output: str
    loss_name: str
    loss: Loss
    rooted: bool = False
    split: bool = False


@dataclass(frozen=True)
class Fit:
    """Coefficients of one candidate: of the core, of each penalty, and what is left over."""

    core: Array
    penalties: Array
    rest: float


def penalty_columns(batch: Batch) -> tuple[Array, list[tuple[int, str, int]]]:
    """Return `(p, q)` penalty terms and what each is."""
    columns, what = [], []
    for power in (2, 1):
        for k, (W, b) in enumerate(zip(batch.W, batch.b, strict=True)):
            for part_, values in (("W", W), ("b", b)):
                if values is not None and (power == 2 or part_ == "W"):
                    columns.append(np.sum(np.abs(values) ** power, axis=(1, 2)))
                    what.append((k, part_, power))
    return np.stack(columns, axis=1), what


def resolution(y: Array, exact: float) -> float:
    """Return what is to be left over is measured by: how much losses vary over their points.

    A loss of huge targets hardly varies; of its size any function leaves next to nothing over.

    Args:
        y: the losses.
        exact: how exactly a model is to give them; above `EXACT` because they are rough.

    Returns:
        At least so much that what rounding leaves over is `exact`; 0 where nothing can be told.
    """
    size, varies = float(np.linalg.norm(y)), float(np.linalg.norm(y - np.mean(y)))
    rounding = size * (exact if exact > EXACT else ROUNDING)
    if varies <= rounding:
        # The same everywhere, as with a softmax over samples that are equal: a fit must be so too.
        return size
    return max(varies, rounding / exact) if rounding <= RESOLVED * varies else 0.0


def resolved(y: Array, exact: float) -> bool:
    """Whether losses vary by so much more than rounding that one function alone fits them."""
    size, varies = float(np.linalg.norm(y)), float(np.linalg.norm(y - np.mean(y)))
    return size * (exact if exact > EXACT else ROUNDING) <= RESOLVED * varies


def solve(y: Array, core: Array, Q: Array | None, measure: float | None = None) -> Fit:
    """Fit `y = core c + Q r`; core is `(p,)` or `(p, k)`.

    What is left over is a part of `measure`, or of the norm of `y`.
    """
    core = core[:, None] if core.ndim == 1 else core
    full = core if Q is None else np.hstack([core, Q])
    if not np.isfinite(full).all() or len(y) <= full.shape[1]:
        return Fit(np.zeros(core.shape[1]), np.zeros(0), np.inf)
    size = np.linalg.norm(full, axis=0)
    size[size == 0] = 1
    solution = np.linalg.lstsq(full / size, y, rcond=1e-13)[0] / size
    measure = float(np.linalg.norm(y)) if measure is None else measure
    left = float(np.linalg.norm(y - full @ solution))
    rest = left / measure if measure > 0 else np.inf
    k = core.shape[1]
    if np.linalg.norm(core @ solution[:k]) < 1e-7 * np.linalg.norm(y):
        rest = np.inf
    return Fit(solution[:k], solution[k:], rest)


def likely_heads(Y: Array, *, full: bool) -> Iterator[Head]:
    """Yield outputs with losses that make sense for such targets."""
    outputs = OUTPUTS if full else COMMON_OUTPUTS
    share = bool(np.all((Y >= 0) & (Y <= 1)))
    signs = bool(np.all((Y == 1) | (Y == -1) | (Y == 0)))
    for output in outputs:
        if output.startswith("softmax") and Y.shape[-1] == 1 and output == "softmax":
            continue
        losses = list(LOSSES if full else COMMON_LOSSES)
        if output.startswith("softmax"):
            # For one-hot targets of two classes this and the binary one are the same.
            losses.sort(key=lambda name: name != "cross_entropy")
        for loss in losses:
            shares = share or CLASSES.get(loss) == output
            if (shares or ("cross_entropy" not in loss and loss != "kullback_leibler")) and (
                signs or ("hinge" not in loss and loss != "logistic(-1/1)")
            ):
                yield Head(output, loss, LOSSES[loss])


class Fitting:
    """Least squares of one set of points: `y = c core + Q r` for many cores at once."""

    def __init__(self, y: Array, Q: Array, exact: float, *, unusual: bool = True) -> None:
        self.y, self.Q, self.exact, self.unusual = y, Q, exact, unusual
        size = np.linalg.norm(Q, axis=0)
        self.used = Q[:, size > 0] / size[size > 0]
        left, weights, _ = np.linalg.svd(self.used, full_matrices=False)
        self.basis = left[:, weights > 1e-13 * weights.max(initial=0.0)]

    def goal(self, head: Head) -> Array:
        """Return what the terms are to add up to: the loss, or its square."""
        return self.y**2 if head.rooted else self.y

    def rests(self, cores: Array, y: Array) -> Array:
        """Return what each core, `(n, p)`, leaves over, without penalties or with them."""
        size = float(np.linalg.norm(y)) or 1e-300
        measure = resolution(y, self.exact) or 1e-300

        def left_over(C: Array, v: Array) -> Array:
            square = np.sum(C * C, axis=1)
            c = (C @ v) / np.where(square > 0, square, 1)
            rest = np.linalg.norm(v - c[:, None] * C, axis=1) / measure
            seen = np.abs(c) * np.sqrt(square) > 1e-7 * size
            return np.where(seen, rest, np.inf)

        plain = left_over(cores, y)
        if self.basis.shape[1] + 2 > len(y):
            return plain
        inside = cores - (cores @ self.basis) @ self.basis.T
        return np.minimum(plain, left_over(inside, y - self.basis @ (self.basis.T @ y)))

    def fitting(self, heads: Sequence[Head], z: Array, Y: Array) -> Iterator[Head]:
        """Yield those heads that reproduce the loss, the exact ones alone if there are any."""
        known, cores = [], []
        outputs: dict[str, Array] = {}
        for head in heads:
            if head.output not in outputs:
                outputs[head.output] = OUTPUTS[head.output].value(z)
            if head.split:
                if self._split_rest(head, outputs[head.output], Y) <= self.exact:
                    yield head
                continue
            known.append(head)
            cores.append(head.loss.terms(outputs[head.output], Y).sum(axis=(1, 2)))
        stacked = np.array(cores)
        if len(stacked):
            finite = np.isfinite(stacked).all(axis=1)
            known = [head for head, usable in zip(known, finite, strict=True) if usable]
            stacked = stacked[finite]
        if not known:
            return
        goal = self.goal(known[0])
        rests = self.rests(stacked, goal)
        hits = [h for h, r in zip(known, rests, strict=True) if r <= self.exact]
        if not hits and len(heads) > 1:
            squared = _rests_plain(stacked, self.y**2, self.exact)
            hits = [
                replace(h, rooted=True)
                for h, r in zip(known, squared, strict=True)
                if r <= self.exact
            ]
        if not hits and self.unusual:
            hits = list(self._unusual(known, rests, outputs, Y))
        yield from hits

    def _split_rest(self, head: Head, a: Array, Y: Array) -> float:
        terms = np.sum(head.loss.terms(a, Y), axis=1)
        measure = resolution(self.y, self.exact)
        plain = solve(self.y, terms, None, measure).rest
        return plain if plain <= self.exact else solve(self.y, terms, self.Q, measure).rest

    def _unusual(
        self, heads: Sequence[Head], rests: Array, outputs: dict[str, Array], Y: Array
    ) -> Iterator[Head]:
        """Yield heads with something added in the logarithm, or with weights of classes."""
        for head, rest in zip(heads, rests, strict=True):
            if head.loss_name in WITH_EPS and not head.loss.eps and rest < NEAR:
                for eps in EPSILONS:
                    other = replace(head, loss=WITH_EPS[head.loss_name](eps))
                    core = other.loss.terms(outputs[head.output], Y).sum(axis=(1, 2))
                    if np.isfinite(core).all() and self.rests(core[None], self.y)[0] <= self.exact:
                        yield other
                        return
        if len(heads) > 1:
            yield from self._smoothed(heads, outputs, Y)
        if len(heads) < 2 or Y.shape[-1] == 1:
            return
        for head in heads:
            if head.loss_name not in COMMON_LOSSES or head.output not in COMMON_OUTPUTS[:5]:
                continue
            split = replace(head, split=True)
            if (
                len(self.y) > Y.shape[-1] + 3
                and self._split_rest(split, outputs[head.output], Y) <= self.exact
            ):
                yield split
                return

    def _smoothed(
        self, heads: Sequence[Head], outputs: dict[str, Array], Y: Array
    ) -> Iterator[Head]:
        """Yield cross-entropies with smoothed labels: linear in them, so two cores to fit."""
        measure = resolution(self.y, self.exact)
        for head in heads:
            if (head.output, head.loss_name) not in SMOOTHED:
                continue
            core = np.stack(
                [
                    head.loss.terms(outputs[head.output], labels).sum(axis=(1, 2))
                    for labels in (Y, np.full_like(Y, even(Y)))
                ],
                axis=1,
            )
            for Q in (None, self.Q):
                fit = solve(self.y, core, Q, measure)
                share = float(fit.core[1] / sum(fit.core)) if sum(fit.core) else 0.0
                if fit.rest <= self.exact and 0 < share < 1:
                    share = round(share, 6) if abs(share - round(share, 6)) < SNAP else share
                    name = f"{head.loss_name}(smoothed by {share:.6g})"
                    yield replace(head, loss_name=name, loss=smoothed(head.loss, share))
                    break

    def rest(self, head: Head, z: Array, Y: Array) -> float:
        """Return what one head leaves over."""
        a = OUTPUTS[head.output].value(z)
        if head.split:
            return self._split_rest(head, a, Y)
        return float(self.rests(head.loss.terms(a, Y).sum(axis=(1, 2))[None], self.goal(head))[0])

    def fit(self, head: Head, z: Array, Y: Array) -> Fit:
        """Return the coefficients of one head and of the penalties, as few as will do."""
        terms = head.loss.terms(OUTPUTS[head.output].value(z), Y)
        core = np.sum(terms, axis=1) if head.split else np.sum(terms, axis=(1, 2))
        goal = self.goal(head)
        measure = resolution(goal, self.exact)
        plain = solve(goal, core, None, measure)
        if plain.rest <= self.exact:
            return Fit(plain.core, np.zeros(0), plain.rest)
        return solve(goal, core, self.Q, measure)


def _rests_plain(cores: Array, y: Array, exact: float) -> Array:
    square = np.sum(cores * cores, axis=1)
    c = (cores @ y) / np.where(square > 0, square, 1)
    measure = resolution(y, exact) or 1e-300
    return np.asarray(np.linalg.norm(y - c[:, None] * cores, axis=1) / measure)


def smallest(function: Callable[[float], float], grid: Array) -> tuple[float, float]:
    """Return where a function of one number is smallest, and its value: a grid, then thirds."""
    values = [function(float(t)) for t in grid]
    best = int(np.nanargmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(70):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if function(float(left)) < function(float(right)):
            high = right
        else:
            low = left
    middle = float((low + high) / 2)
    return middle, function(middle)
