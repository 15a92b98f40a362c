"""Arrays put one after the other as layers, in every order and orientation, usual ones first."""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from diagnosis.calls import Array
from diagnosis.views import LayerViews, Layout, View

STEPS = 20_000
PER_SAMPLE, AGAIN = 3.0, 0.3  # what a bias for every sample costs, and one more of them


@dataclass(frozen=True)
class Piece:
    """An array, or a cut of a flat vector, that may be a weight matrix or a bias."""

    name: str
    index: Array
    order: float


@lru_cache(maxsize=1024)
def number_in(name: str) -> tuple[float, ...]:
    """Return the numbers in a name."""
    return tuple(float(n) for n in re.findall(r"\d+", name))


def _weights(piece: Piece, n: int) -> Iterator[tuple[Array, Array | None, str, float]]:
    """Yield W, the bias inside it, the style and its cost, for `n` inputs."""
    index = piece.index
    if index.ndim == 0:
        index = index[None]
    if index.ndim == 1:
        if len(index) == n:
            yield index[:, None], None, "in,out", 0.2
        if len(index) == n + 1:
            yield index[:-1, None], index[-1:], "in,out", 0.7
            yield index[1:, None], index[:1], "in,out", 0.7
        if n == 1:
            yield index[None, :], None, "in,out", 0.6
        return
    if index.ndim != 2:
        return
    for matrix, style in ((index, "in,out"), (index.T, "out,in")):
        if matrix.shape[0] == n:
            yield matrix, None, style, 0.0
        if matrix.shape[0] == n + 1:
            yield matrix[:-1], matrix[-1], style, 0.5
            yield matrix[1:], matrix[0], style, 0.5


def _biases(piece: Piece, n: int, samples: int, each: float) -> Iterator[tuple[Array, float]]:
    index = piece.index
    flat = index.reshape(-1)
    if flat.size == n and index.ndim <= 2 and (index.ndim < 2 or 1 in index.shape):
        yield flat, 0.0
    if index.ndim == 2 and samples > 1:
        for rows in (index, index.T):
            if rows.shape == (samples, n):
                yield rows, each


def targets_of(Y: Array, n_out: int, samples: int) -> Iterator[tuple[str, float]]:
    """Yield how Y may become `(samples, n_out)`, in the words of `Layout.targets`, and the cost."""
    if Y.ndim > 2 and Y.shape == (samples, *Y.shape[1:]) and Y.size == samples * n_out:
        yield "rows", 0.0
    if Y.ndim == 2:
        if Y.shape == (samples, n_out):
            yield "rows", 0.0
        if Y.shape == (n_out, samples):
            yield "columns", 0.0
    if Y.size == samples and n_out == 1 and Y.ndim < 2:
        yield "vector", 0.0
    if Y.size == samples and n_out > 1 and np.array_equal(Y, np.round(Y)):
        if np.min(Y) == 1 and np.max(Y) <= n_out:
            yield "labels from 1", 0.4 if np.max(Y) == n_out else 1.4
        yield "labels", 0.5 if np.max(Y) + 1 >= n_out else 1.5
    if samples == 1 and Y.ndim == 1 and Y.size == n_out:
        yield "single", 0.3


def inputs_of(X: Array) -> Iterator[tuple[bool, int, int, float]]:
    """Yield whether samples are rows, how many inputs and samples, and the cost."""
    if X.ndim == 2:
        yield True, X.shape[1], X.shape[0], 0.0
        yield False, X.shape[0], X.shape[1], 0.0
    elif X.ndim == 1:
        yield True, 1, X.shape[0], 0.0
        yield False, X.shape[0], 1, 0.3
    elif X.ndim > 2:
        yield True, X.size // len(X), len(X), 0.0


@dataclass(frozen=True)
class _Chain:
    layers: tuple[LayerViews, ...]
    left: tuple[Piece, ...]
    n: int
    last: float
    targets: str = ""  # set once all arrays are in it

    def with_(self, layer: LayerViews, left: tuple[Piece, ...], piece: Piece) -> _Chain:
        """Return the chain with one more layer, made of a piece."""
        return _Chain((*self.layers, layer), left, layer.W.index.shape[1], piece.order)


def _longer(chain: _Chain, rows: bool, samples: int) -> Iterator[tuple[float, _Chain]]:
    """Yield every way to put one more layer on a chain, with its cost."""
    for i, piece in enumerate(chain.left):
        rest = chain.left[:i] + chain.left[i + 1 :]
        for W, inner, style, plain in _weights(piece, chain.n):
            cost = _cost(plain, chain, piece, rest, W, inner, style, rows)
            made = LayerViews(View(piece.name, W), None, style)
            if inner is not None:
                yield cost, chain.with_(replace(made, b=View(piece.name, inner)), rest, piece)
                continue
            fits = 0
            each = AGAIN if chain.layers and _per_sample(chain.layers[-1]) else PER_SAMPLE
            for j, bias in enumerate(rest):
                left = rest[:j] + rest[j + 1 :]
                for b, extra in _biases(bias, W.shape[1], samples, each):
                    away = 0.4 * _strange(piece, bias) + 0.05 * fits
                    fits += 1
                    full = replace(made, b=View(bias.name, b))
                    yield cost + extra + away, chain.with_(full, left, piece)
            yield cost + (0.5 if fits else 0.1), chain.with_(made, rest, piece)


def _cost(
    cost: float,
    chain: _Chain,
    piece: Piece,
    rest: Sequence[Piece],
    W: Array,
    inner: Array | None,
    style: str,
    rows: bool,
) -> float:
    """Add to the cost of a layer what is unusual about it where the chain ends."""
    before = chain.layers[-1].style if chain.layers else None
    out_of_order = 0.0 if piece.order > chain.last else 1.5
    skipped = sum(
        1
        for p in rest
        if p.index.ndim == 2 and 1 not in p.index.shape and chain.last < p.order < piece.order
    )
    cost += out_of_order + 0.7 * skipped + 0.6 * (before not in (None, style))
    if inner is not None and chain.layers and chain.layers[-1].b is not None:
        cost += 0.6 * (_end(chain.layers[-1]) != _end_of(W, inner))
    return cost + 0.1 * (style != ("in,out" if rows else "out,in"))


def _end_of(W: Array, inner: Array) -> bool:
    return bool(inner[0] > W[0, 0])


def _end(layer: LayerViews) -> bool | None:
    """Whether the bias inside the weights is last; None where it is an array of its own."""
    if layer.b is None or layer.b.name != layer.W.name or layer.b.index.ndim > 1:
        return None
    return _end_of(layer.W.index, layer.b.index)


def _per_sample(layer: LayerViews) -> bool:
    return layer.b is not None and layer.b.index.ndim == 2


def _strange(weight: Piece, bias: Piece) -> bool:
    """Whether the numbers in two names differ, where both have some."""
    w, b = number_in(weight.name), number_in(bias.name)
    return bool(w and b and w != b)


def chains(pieces: Sequence[Piece], X: Array, Y: Array) -> Iterator[Layout]:
    """Yield layouts that use every piece, the usual ones first."""
    count = itertools.count()
    heap: list[tuple[float, int, _Chain, bool, int]] = []
    for rows, n, samples, cost in inputs_of(X):
        heapq.heappush(
            heap, (cost, next(count), _Chain((), tuple(pieces), n, -np.inf), rows, samples)
        )
    for _ in range(STEPS):
        if not heap:
            return
        cost, _, chain, rows, samples = heapq.heappop(heap)
        if chain.targets:
            yield Layout(chain.layers, rows, chain.targets, cost)
            continue
        if not chain.left and chain.layers:
            for targets, extra in targets_of(Y, chain.n, samples):
                whole = replace(chain, targets=targets)
                heapq.heappush(heap, (cost + extra, next(count), whole, rows, samples))
            continue
        for more, longer in _longer(chain, rows, samples):
            heapq.heappush(heap, (cost + more, next(count), longer, rows, samples))
