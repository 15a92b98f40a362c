"""The catalogue of mistakes: what an entry is, and arithmetic over groups of points.

Each entry says what is done wrongly at one place, in formulas over one group of points; which word
it has; and how likely it is, as a cost. The entries stand in `taken_slopes`, `output_deltas`,
`hidden_deltas` and `layer_grads`; the search puts them together. An operator yields nothing where
shapes do not allow it. Layers count from 0; `k` is the layer whose delta is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diagnosis.calls import Array
from diagnosis.groups import Group


@dataclass(frozen=True)
class Op:
    """One mistake at one place.

    Attributes:
        word: from the vocabulary.
        layer: from 0.
        part: what is wrong: "delta", "W" or "b".
        note: what is done, in a few words or a formula; empty where the word says all.
        cost: how unlikely; 1 is usual.
        free: whether a factor of two belongs to it.
        also: a second mistake in the same product.
        cure: what mends this one, where the word's own cure leaves a choice.
        written_in: whether it shows with another number of samples than the author's only.
        steady: whether it is the same constant with another number of samples.
    """

    word: str
    layer: int
    part: str
    note: str
    cost: float = 1.0
    free: bool = False
    also: Op | None = None
    cure: str = ""
    written_in: bool = False
    steady: bool = False


Arrays = list[Array]


@dataclass(frozen=True)
class Signal:
    """A delta the author may have used, in each group.

    Attributes:
        bases: arrays whose combination it is; mostly one.
        pre: `dL/da` from which it was made.
        ops: what is wrong with it.
    """

    bases: list[Arrays]
    pre: Arrays
    ops: tuple[Op, ...] = ()
    expected: tuple[float, ...] = (1.0,)

    @property
    def cost(self) -> float:
        """Sum of the costs of what is wrong."""
        return sum(op.cost for op in self.ops)


def each(groups: Sequence[Group], make: Callable[[Group], Array | None]) -> Arrays | None:
    """Return what is made of each group; None where one cannot be, or is not finite."""
    made = []
    with np.errstate(all="ignore"):
        for group in groups:
            array = make(group)
            if array is None or not np.isfinite(array).all():
                return None
            made.append(array)
    return made


def times(left: Arrays, right: Arrays) -> Arrays:
    """Multiply elementwise."""
    return [a * b for a, b in zip(left, right, strict=True)]


def each_of(values: Arrays, formula: Callable[[Array], Array]) -> Arrays | None:
    """Return a formula of each array; None where a result is not finite."""
    with np.errstate(all="ignore"):
        made = [np.asarray(formula(v), float) for v in values]
    return made if all(np.isfinite(a).all() for a in made) else None


def error_of(groups: Sequence[Group], factor: bool = True) -> Arrays:
    """Return `a - y` of the output, with the factor of the loss unless told not to."""
    return [(g.true.A[-1] - g.batch.Y) * (g.factor if factor else 1.0) for g in groups]


def same(a: Arrays, b: Arrays) -> bool:
    """Whether arrays are equal in all groups."""
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def outer(a: Arrays, d: Arrays) -> Arrays:
    """Return `a^T d`, the sum over samples of outer products."""
    return [np.matmul(x.swapaxes(1, 2), y) for x, y in zip(a, d, strict=True)]
