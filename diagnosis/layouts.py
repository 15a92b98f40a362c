"""Which array is which: a subject's parameters and data as layers of one canonical form.

Canonical: samples are rows, `z = a W + b` with `W` of shape `(n_in, n_out)` and `b` of shape
`(n_out,)`. A layout is a table of indices into the author's raveled arrays, so transposes, biases
inside the weights and one flat vector are one thing, for parameters and for gradients.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from diagnosis.calls import Array

MOST = 400
STEPS = 20_000
MOST_ARRAYS = 24
WIDEST = 257


@dataclass(frozen=True)
class View:
    """Part of an author's array in canonical shape: indices into the raveled array."""

    name: str
    index: Array

    def read(self, arrays: Mapping[str, Array]) -> Array:
        """Return this part of the author's parameters or gradients."""
        return np.asarray(arrays[self.name], float).reshape(-1)[self.index]

    def write(self, arrays: Mapping[str, Array], values: Array) -> None:
        """Set this part of arrays of the author's shapes, in place."""
        arrays[self.name].reshape(-1)[self.index] = values

    @property
    def key(self) -> tuple[str, bytes]:
        """What identifies the entries, in any order."""
        return self.name, np.sort(self.index, axis=None).tobytes()


@dataclass(frozen=True)
class LayerViews:
    """Where weights and bias of a layer are; gamma and beta of a batch norm, if it has one."""

    W: View
    b: View | None
    style: str = "in,out"
    scale: View | None = None
    shift: View | None = None


@dataclass(frozen=True)
class Layout:
    """How to read a subject.

    Attributes:
        layers: from the input up.
        rows: whether samples are rows of X.
        targets: how Y becomes `(samples, n_out)`: "rows", "columns", "vector", "labels", "crossed".
        cost: how unusual it is.
    """

    layers: tuple[LayerViews, ...]
    rows: bool
    targets: str
    cost: float

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, the inputs first."""
        first = self.layers[0].W.index.shape[0]
        return (first, *(layer.W.index.shape[1] for layer in self.layers))

    def inputs(self, X: Array) -> Array:
        """Return X with samples as rows."""
        X = np.asarray(X, float)
        if X.ndim == 1:
            return X[:, None] if self.rows else X[None, :]
        return X if self.rows else X.T

    def outputs(self, Y: Array) -> Array:
        """Return Y as `(samples, n_out)`."""
        Y = np.asarray(Y, float)
        if self.targets == "labels":
            labels = Y.reshape(-1).astype(int)
            return np.asarray(labels[:, None] == np.arange(self.widths[-1]), float)
        if self.targets == "vector":
            return Y.reshape(-1, 1)
        if self.targets == "single":
            return Y.reshape(1, -1)
        return Y if self.targets == "rows" else Y.T

    @property
    def words(self) -> str:
        """The layout for a reader."""
        weights = sorted({layer.style for layer in self.layers})
        return f"samples in {'rows' if self.rows else 'columns'}, W {' and '.join(weights)}"

    @property
    def bias_words(self) -> str:
        """Where the biases are, for a reader."""
        kinds = []
        for layer in self.layers:
            if layer.b is None:
                kinds.append("none")
            elif layer.b.index.ndim == 2:
                kinds.append("one for every sample")
            elif layer.b.name == layer.W.name:
                kinds.append("in the weights")
            else:
                kinds.append("own array")
        return ", ".join(dict.fromkeys(kinds))


@dataclass(frozen=True)
class _Piece:
    """An array, or a cut of a flat vector, that may be a weight matrix or a bias."""

    name: str
    index: Array
    order: float


def _number(name: str) -> tuple[float, ...]:
    return tuple(float(n) for n in re.findall(r"\d+", name))


def _weights(piece: _Piece, n: int) -> Iterator[tuple[Array, Array | None, str, float]]:
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


def _biases(piece: _Piece, n: int, samples: int) -> Iterator[tuple[Array, float]]:
    index = piece.index
    flat = index.reshape(-1)
    if flat.size == n and index.ndim <= 2 and (index.ndim < 2 or 1 in index.shape):
        yield flat, 0.0
    if index.ndim == 2 and samples > 1:
        for rows in (index, index.T):
            if rows.shape == (samples, n):
                yield rows, 3.0


def _targets(Y: Array, n_out: int, samples: int) -> Iterator[tuple[str, float]]:
    if Y.ndim == 2:
        if Y.shape == (samples, n_out):
            yield "rows", 0.0
        if Y.shape == (n_out, samples):
            yield "columns", 0.0
    if Y.size == samples and n_out == 1 and Y.ndim < 2:
        yield "vector", 0.0
    if Y.size == samples and n_out > 1 and np.array_equal(Y, np.round(Y)):
        yield "labels", 0.5 if np.max(Y) + 1 >= n_out else 1.5
    if samples == 1 and Y.ndim == 1 and Y.size == n_out:
        yield "single", 0.3


def _inputs(X: Array) -> Iterator[tuple[bool, int, int, float]]:
    """Yield whether samples are rows, how many inputs and samples, and the cost."""
    if X.ndim == 2:
        yield True, X.shape[1], X.shape[0], 0.0
        yield False, X.shape[0], X.shape[1], 0.0
    elif X.ndim == 1:
        yield True, 1, X.shape[0], 0.0
        yield False, X.shape[0], 1, 0.3


@dataclass(frozen=True)
class _Chain:
    layers: tuple[LayerViews, ...]
    left: tuple[_Piece, ...]
    n: int
    last: float


def _longer(chain: _Chain, rows: bool, samples: int) -> Iterator[tuple[float, _Chain]]:
    """Yield every way to put one more layer on a chain, with its cost."""
    usual = "in,out" if rows else "out,in"
    before = chain.layers[-1].style if chain.layers else None
    for i, piece in enumerate(chain.left):
        rest = chain.left[:i] + chain.left[i + 1 :]
        out_of_order = 0.0 if piece.order > chain.last else 1.5
        skipped = sum(
            1
            for p in rest
            if p.index.ndim == 2 and 1 not in p.index.shape and chain.last < p.order < piece.order
        )
        for W, inner, style, cost in _weights(piece, chain.n):
            cost += out_of_order + 0.7 * skipped + 0.6 * (before not in (None, style))
            if inner is not None and chain.layers and chain.layers[-1].b is not None:
                cost += 0.6 * (_end(chain.layers[-1]) != _end_of(W, inner))
            cost += 0.1 * (style != usual)
            made = LayerViews(View(piece.name, W), None, style)
            if inner is not None:
                full = replace(made, b=View(piece.name, inner))
                yield (
                    cost,
                    replace(
                        chain,
                        layers=(*chain.layers, full),
                        left=rest,
                        n=W.shape[1],
                        last=piece.order,
                    ),
                )
                continue
            fits = 0
            for j, bias in enumerate(rest):
                for b, extra in _biases(bias, W.shape[1], samples):
                    away = 0.4 * _strange(piece, bias) + 0.05 * fits
                    fits += 1
                    left = rest[:j] + rest[j + 1 :]
                    full = replace(made, b=View(bias.name, b))
                    yield (
                        cost + extra + away,
                        replace(
                            chain,
                            layers=(*chain.layers, full),
                            left=left,
                            n=W.shape[1],
                            last=piece.order,
                        ),
                    )
            yield (
                cost + (0.5 if fits else 0.1),
                replace(
                    chain, layers=(*chain.layers, made), left=rest, n=W.shape[1], last=piece.order
                ),
            )


def _end_of(W: Array, inner: Array) -> bool:
    return bool(inner[0] > W[0, 0])


def _end(layer: LayerViews) -> bool | None:
    """Whether the bias inside the weights is last; None where it is an array of its own."""
    if layer.b is None or layer.b.name != layer.W.name:
        return None
    return _end_of(layer.W.index, layer.b.index)


def _strange(weight: _Piece, bias: _Piece) -> bool:
    """Whether the numbers in two names differ, where both have some."""
    w, b = _number(weight.name), _number(bias.name)
    return bool(w and b and w != b)


def _chains(pieces: Sequence[_Piece], X: Array, Y: Array) -> Iterator[Layout]:
    """Yield layouts that use every piece, the usual ones first."""
    count = itertools.count()
    heap: list[tuple[float, int, _Chain, bool, int]] = []
    for rows, n, samples, cost in _inputs(X):
        heapq.heappush(heap, (cost, next(count), _Chain((), tuple(pieces), n, -1.0), rows, samples))
    for _ in range(STEPS):
        if not heap:
            return
        cost, _, chain, rows, samples = heapq.heappop(heap)
        if not chain.left and chain.layers:
            for targets, extra in _targets(Y, chain.n, samples):
                yield Layout(chain.layers, rows, targets, cost + extra)
            continue
        for more, longer in _longer(chain, rows, samples):
            heapq.heappush(heap, (cost + more, next(count), longer, rows, samples))


def _pieces(params: Mapping[str, Array]) -> list[_Piece]:
    # Names with numbers are ordered by them, others as the dict is.
    numbered = all(_number(name) for name in params)
    ranks = sorted({_number(name) for name in params}) if numbered else []
    return [
        _Piece(
            name,
            np.arange(a.size).reshape(a.shape),
            float(ranks.index(_number(name))) if numbered else float(i),
        )
        for i, (name, a) in enumerate(params.items())
    ]


def cut_by(seen: Sequence[tuple[str, Array]], name: str, flat: Array) -> list[_Piece]:
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
            pieces.append(_Piece(name, index, float(index.min())))
    pieces.sort(key=lambda piece: piece.order)
    return pieces if taken.all() else []


def layouts(
    params: Mapping[str, Array], X: Array, Y: Array, cut: Sequence[_Piece] = ()
) -> Iterator[Layout]:
    """Yield possible layouts, the usual ones first.

    Args:
        params: the author's arrays.
        X: the inputs, as the author has them.
        Y: the targets, likewise.
        cut: how one vector with all parameters is cut, if that was seen.
    """
    if len(params) == 1:
        name, array = next(iter(params.items()))
        if cut:
            yield from itertools.islice(_chains(cut, X, Y), MOST)
        if array.ndim == 1 or 1 in array.shape:
            yield from itertools.islice(_flat(name, array.size, X, Y), MOST)
            return
    if any(array.ndim > 2 for array in params.values()) or len(params) > MOST_ARRAYS:
        return
    pieces = _pieces(params)
    yield from itertools.islice(_with_norms(pieces, X, Y), MOST)
    yield from itertools.islice(_chains(pieces, X, Y), MOST)


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


def _flat(name: str, size: int, X: Array, Y: Array) -> Iterator[Layout]:
    """Yield ways to cut one vector into layers."""
    outs = {1} if Y.ndim < 2 else set(Y.shape)
    if Y.ndim < 2 or 1 in Y.shape:
        outs.add(int(np.max(Y)) + 1 if np.array_equal(Y, np.round(Y)) else 1)
    for rows, n, samples, cost in sorted(_inputs(X), key=lambda i: i[3]):
        for k in sorted(o for o in outs if o > 0):
            targets = list(_targets(Y, k, samples))
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


def _with_norms(pieces: Sequence[_Piece], X: Array, Y: Array) -> Iterator[Layout]:
    """Yield layouts in which hidden layers have a scale and a shift besides, of a batch norm."""
    scales = [p for p in pieces if re.match(r"(?i)^(g|gamma|scale)", p.name)]
    shifts = [p for p in pieces if re.match(r"(?i)^(be|beta|shift)", p.name)]
    if not scales or len(scales) != len(shifts):
        return
    rest = [p for p in pieces if p not in scales and p not in shifts]
    for layout in _chains(rest, X, Y):
        made, pairs = [], list(zip(scales, shifts, strict=True))
        for layer in layout.layers:
            n = layer.W.index.shape[1]
            if pairs and pairs[0][0].index.size == n == pairs[0][1].index.size:
                g, s = pairs.pop(0)
                made.append(
                    replace(
                        layer,
                        scale=View(g.name, g.index.reshape(-1)),
                        shift=View(s.name, s.index.reshape(-1)),
                    )
                )
            else:
                made.append(layer)
        if not pairs:
            yield replace(layout, layers=tuple(made), cost=layout.cost + 1)
