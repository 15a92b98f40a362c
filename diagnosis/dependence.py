"""Which of its arguments a subject's functions use: some read the program's own X and Y instead.

What is then put in for X or Y changes nothing, or changes the loss and not the gradient. So such a
subject can be looked at with the author's own data only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.random import default_rng

from diagnosis.calls import Array, Point, flat
from diagnosis.subject import Subject

SEED = 7
POINTS = 3
DATA = ("X", "Y")


def unused(
    subject: Subject, draw: Callable[[np.random.Generator], Mapping[str, Array]]
) -> dict[str, tuple[str, ...]]:
    """Return which of X and Y each function does not look at: "loss", "grads" -> names.

    Another X or Y gives the same to the last bit at several parameters. What cannot be called
    there, or gives no number, counts as used.

    Args:
        subject: whose functions they are.
        draw: parameters of order one.
    """
    rng = default_rng(SEED)
    points = [Point(draw(rng), subject.X, subject.Y) for _ in range(POINTS)]
    others = {
        "X": [p._replace(X=rng.standard_normal(np.shape(p.X))) for p in points],
        "Y": [p._replace(Y=_other_labels(subject.Y)) for p in points],
    }
    return {
        "loss": _same(_losses(subject, points), {n: _losses(subject, others[n]) for n in DATA}),
        "grads": _same(_grads(subject, points), {n: _grads(subject, others[n]) for n in DATA}),
    }


def _other_labels(Y: Array) -> Array:
    """Return labels of the same kind: the first for all, which is one that the program knows."""
    first = np.full_like(Y, np.asarray(Y).flat[0]) if np.size(Y) else np.asarray(Y)
    return first if not np.array_equal(first, Y) else np.asarray(first + 1)


def _losses(subject: Subject, points: Sequence[Point]) -> list[Array]:
    return [np.array([value]) for value in subject.losses(points)]


def _grads(subject: Subject, points: Sequence[Point]) -> list[Array]:
    made = [subject.try_grads(point) for point in points]
    return [np.array([np.nan]) if g is None else flat(g) for g in made]


def _same(own: Sequence[Array], others: Mapping[str, Sequence[Array]]) -> tuple[str, ...]:
    """Return what changes nothing, at points where parameters do."""
    if not all(np.isfinite(a).all() for a in own) or np.array_equal(own[0], own[1]):
        return ()
    return tuple(
        name
        for name, made in others.items()
        if all(np.array_equal(a, b) for a, b in zip(own, made, strict=True))
    )


def sentences(found: Mapping[str, Sequence[str]]) -> list[str]:
    """Say it to the reader, and what follows for the diagnosis."""
    said = [
        f"{function} ignores its argument{'s' * (len(names) > 1)} {' and '.join(names)}: it gives "
        f"the same for other values, so it uses the program's own {' and '.join(names)}, or none"
        for function, names in found.items()
        if names
    ]
    if any("X" in names for names in found.values()):
        said.append("everything was looked at with your own X and Y only")
    return said
