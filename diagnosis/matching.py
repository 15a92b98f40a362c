"""How an author's array follows from a candidate: factors, penalties, and what is left over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.calls import Array
from diagnosis.operators import Arrays, Op

EXACT = 2e-7
NOTHING = 1e-12
UNEXPLAINED = 2.5
FAR_OFF = 1e-2


@dataclass(frozen=True)
class Match:
    """How an array follows from a candidate: `g = factor D + rest p`, per group.

    Attributes:
        factors: per group; None where nothing was found.
        weights: of the bases, the first is 1.
        extra: coefficients of the penalty columns, `p` and `sign(p)`, from the first group.
        op: what is wrong, if it is not the right formula.
        rest: what is left over, of the array's norm.
    """

    factors: tuple[float, ...] | None
    weights: tuple[float, ...] = (1.0,)
    extra: tuple[float, ...] = ()
    op: Op | None = None
    rest: float = 0.0

    @property
    def cost(self) -> float:
        """Of the array alone."""
        if self.factors is None:
            return UNEXPLAINED
        return sum(op.cost for op in self.ops)

    @property
    def ops(self) -> tuple[Op, ...]:
        """What is wrong, one mistake or two."""
        if self.op is None:
            return ()
        return (self.op, self.op.also) if self.op.also else (self.op,)


def _columns(p: Array) -> list[Array]:
    return [p.reshape(-1), np.sign(p).reshape(-1)]


def match(
    given: Arrays, bases: Sequence[Arrays], own: Arrays, true: Arrays, exact: float
) -> Match | None:
    """Explain the author's array by bases, and what a penalty on the parameter would add.

    Args:
        given: the author's, per group.
        bases: right or wrong gradients, per basis and group.
        own: the parameter itself, per group.
        true: the right gradient, whose size says what counts as zero; only where it is zero
            itself are plain zeros explained.
        exact: how exactly, of the array's norm.
    """
    if any(b[0].size != given[0].size for b in bases):
        return None
    zeros = [_zero(g, t) for g, t in zip(given, true, strict=True)]
    if any(zeros):
        same = all(zeros) and all(_zero(d, t) for b in bases for d, t in zip(b, true, strict=True))
        # Zeros that should be none come from many a wrong formula and tell nothing, unless they are
        # what rounding leaves of a sum that cancels.
        same &= any(g.any() for g in given) or not any(t.any() for t in true)
        return Match((1.0,) * len(given)) if same else None
    factors: list[float] = []
    weights: tuple[float, ...] = (1.0,)
    extra: tuple[float, ...] = ()
    rest = 0.0
    for i, g in enumerate(given):
        y = g.reshape(-1)
        D = [b[i].reshape(-1) for b in bases]
        if i:
            D = [sum(w * d for w, d in zip(weights, D, strict=True))]  # type: ignore[list-item]
        found = None if extra else _fit(y, D, [], exact)
        if found is None:
            found = _fit(y, D, _columns(own[i]), exact)
            if found is None or (i and not extra):
                return None
            extra = extra or tuple(found[0][len(D) :])
        # Of rough gradients one cannot tell a factor from 1 that is as close as they are exact.
        factors.append(1.0 if abs(found[0][0] - 1) <= exact else found[0][0])
        rest = max(rest, found[1])
        if not i:
            weights = (1.0, *(w / found[0][0] for w in found[0][1 : len(D)]))
    return Match(tuple(factors), weights, extra, None, rest)


def _norm(v: Array) -> float:
    """Return the Euclidean norm of all entries, without the ways round of `np.linalg.norm`."""
    v = v.reshape(-1)
    return math.sqrt(v @ v)


def _zero(g: Array, true: Array) -> bool:
    return _norm(g) <= NOTHING * _norm(true)


def _fit(
    y: Array, D: list[Array], extra: list[Array], exact: float
) -> tuple[list[float], float] | None:
    """Return coefficients and what is left over; None if too much is."""
    size = _norm(y)
    if len(D) == 1 and not extra:
        d = D[0]
        square = float(d @ d)
        if square == 0:
            return None
        t = float(d @ y) / square
        rest = _norm(y - t * d) / size
        return ([t], rest) if rest <= exact and t else None
    used = [c for c in extra if c.any()]
    columns = np.array([*D, *used]).T
    if columns.shape[0] <= columns.shape[1]:
        return None
    scale = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    if not scale[0]:
        return None
    scale[scale == 0] = 1
    columns = columns / scale
    if _surely_not(columns, y, size, exact):
        return None
    solution = np.linalg.lstsq(columns, y, rcond=1e-10)[0]
    rest = _norm(y - columns @ solution) / size
    if rest > exact or abs(solution[0]) < 1e-5 * size:
        return None
    solution = solution / scale
    return [float(s) for s in solution] + [0.0] * (len(extra) - len(used)), rest


def _surely_not(columns: Array, y: Array, size: float, exact: float) -> bool:
    """Whether normal equations, with half the digits, leave far too much over; most candidates."""
    try:
        solution = np.linalg.solve(columns.T @ columns, columns.T @ y)
    except np.linalg.LinAlgError:
        return False
    return _norm(y - columns @ solution) > max(FAR_OFF, 10 * exact) * size
