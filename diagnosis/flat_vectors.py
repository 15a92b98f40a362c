"""One vector that holds all parameters: how it may be cut into layers, or was seen to be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from diagnosis.calls import Array
from diagnosis.chains import Piece, inputs_of, targets_of
from diagnosis.views import LayerViews, Layout, View

WIDEST = 257


def cut_by(seen: Sequence[tuple[str, Array]], name: str, flat: Array) -> list[Piece]:
    """Return the pieces of a flat vector that a program works with, from arrays it was seen with.

    Args:
        seen: names and arrays, as the program ran with `flat`, all entries of which differ.
        name: of the vector among params.
        flat: its values.

    Returns:
        Pieces that cover the vector, each entry once; none if the arrays seen do not.
    """
    flat = np.asarray(flat, float).reshape(-1)
    order = np.argsort(flat)
    found: list[tuple[str, Array]] = []
    for label, array in seen:
        if array.ndim == 0 or array.size >= flat.size or array.dtype.kind not in "fiu":
            continue
        values = np.asarray(array, float)
        at = np.clip(np.searchsorted(flat[order], values), 0, flat.size - 1)
        index = order[at]
        if np.array_equal(flat[index], values) and np.unique(index).size == index.size:
            found.append((label, index))
    found.sort(key=lambda piece: -piece[1].size)
    taken, pieces = np.zeros(flat.size, bool), []
    for _, index in found:
        if not taken[index.reshape(-1)].any():
            taken[index.reshape(-1)] = True
            pieces.append(Piece(name, index, float(index.min())))
    pieces.sort(key=lambda piece: piece.order)
    return pieces if taken.all() else []


def _hidden_widths(
    size: int, n: int, k: int, cost: Callable[[Sequence[int]], int]
) -> Iterator[tuple[int, ...]]:
    """Yield widths of hidden layers whose parameters add up to `size`."""
    for depth in range(5):
        equal = ((h,) * depth for h in range(1, size if depth else 2))
        grown = itertools.takewhile(lambda hidden: cost((n, *hidden, k)) <= size, equal)
        yield from (hidden for hidden in grown if cost((n, *hidden, k)) == size)
    for pair in itertools.permutations(range(1, WIDEST), 2):
        if cost((n, *pair, k)) == size:
            yield pair


def _with_bias(widths: Sequence[int]) -> int:
    return sum((i + 1) * o for i, o in itertools.pairwise(widths))


def _without_bias(widths: Sequence[int]) -> int:
    return sum(i * o for i, o in itertools.pairwise(widths))


def cuts_of(name: str, size: int, X: Array, Y: Array) -> Iterator[Layout]:
    """Yield ways to cut one vector into layers."""
    outs = {1} if Y.ndim < 2 else set(Y.shape)
    if Y.ndim < 2 or 1 in Y.shape:
        whole = np.array_equal(Y, np.round(Y))
        outs |= {int(np.max(Y)), int(np.max(Y)) + 1} if whole else {1}
    for rows, n, samples, cost in sorted(inputs_of(X), key=lambda i: i[3]):
        for k in sorted(o for o in outs if o > 0):
            targets = list(targets_of(Y, k, samples))
            for count in (_with_bias, _without_bias) if targets else ():
                for hidden in _hidden_widths(size, n, k, count):
                    widths = (n, *hidden, k)
                    for layers, more in _cuts(name, widths, count is _with_bias):
                        for target, extra in targets:
                            yield Layout(layers, rows, target, cost + extra + more)


def _cuts(
    name: str, widths: Sequence[int], bias: bool
) -> Iterator[tuple[tuple[LayerViews, ...], float]]:
    """Yield orders in which W and b of all layers may lie in a vector."""
    pairs = list(itertools.pairwise(widths))
    orders = ["Wb", "bW", "WW", "bb", "rows"] if bias else ["W"]
    for order, style in itertools.product(orders, ("in,out", "out,in")):
        at = 0
        made: list[tuple[Array, Array | None]] = []

        def take(count: int) -> Array:
            nonlocal at
            at += count
            return np.arange(at - count, at)

        def matrix(i: int, o: int, style: str = style) -> Array:
            cut = take(i * o)
            return cut.reshape(i, o) if style == "in,out" else cut.reshape(o, i).T

        if order in ("WW", "bb"):
            biases = [take(o) for _, o in pairs] if order == "bb" else []
            matrices = [matrix(i, o) for i, o in pairs]
            biases = biases or [take(o) for _, o in pairs]
            made = list(zip(matrices, biases, strict=True))
        elif order == "rows":
            for first in (True, False):
                at, made = 0, []
                for i, o in pairs:
                    full = matrix(i + 1, o)
                    made.append((full[1:], full[0]) if first else (full[:-1], full[-1]))
                yield _named(name, made, style), 0.5
            continue
        else:
            for i, o in pairs:
                b = take(o) if order == "bW" else None
                W = matrix(i, o)
                made.append((W, take(o) if order == "Wb" else b))
        yield _named(name, made, style), 0.2


def _named(
    name: str, made: Sequence[tuple[Array, Array | None]], style: str
) -> tuple[LayerViews, ...]:
    return tuple(
        LayerViews(View(name, W), None if b is None else View(name, b), style) for W, b in made
    )
