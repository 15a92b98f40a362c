"""Which array is which: the ways to read a subject's arrays as layers, the usual ones first."""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from diagnosis.calls import Array
from diagnosis.chains import Piece, chains, number_in
from diagnosis.flat_vectors import cuts_of
from diagnosis.views import Layout, View

MOST = 400
FROM_ABOVE = 1.0
MOST_ARRAYS = 24


def layouts(
    params: Mapping[str, Array], X: Array, Y: Array, cut: Sequence[Piece] = ()
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
            yield from itertools.islice(chains(cut, X, Y), MOST)
        if array.ndim == 1 or 1 in array.shape:
            yield from itertools.islice(cuts_of(name, array.size, X, Y), MOST)
            return
    if any(array.ndim > 2 for array in params.values()) or len(params) > MOST_ARRAYS:
        return
    pieces = _pieces(params)
    yield from itertools.islice(_with_norms(pieces, X, Y), MOST)
    ways = chains(pieces, X, Y)
    if len({piece.order for piece in pieces}) == len(pieces):
        # Names that are no numbers may stand from the output down.
        down = [replace(piece, order=-piece.order) for piece in reversed(pieces)]
        other = (replace(way, cost=way.cost + FROM_ABOVE) for way in chains(down, X, Y))
        ways = heapq.merge(ways, other, key=lambda way: way.cost)
    yield from itertools.islice(ways, MOST)


def _pieces(params: Mapping[str, Array]) -> list[Piece]:
    # Names with numbers are ordered by them, others as the dict is.
    numbered = all(number_in(name) for name in params)
    ranks = sorted({number_in(name) for name in params}) if numbered else []
    return [
        Piece(
            name,
            np.arange(a.size).reshape(a.shape),
            float(ranks.index(number_in(name))) if numbered else float(i),
        )
        for i, (name, a) in enumerate(params.items())
    ]


def _with_norms(pieces: Sequence[Piece], X: Array, Y: Array) -> Iterator[Layout]:
    """Yield layouts in which hidden layers have a scale and a shift besides, of a batch norm."""
    scales = [p for p in pieces if re.match(r"(?i)^(g|gamma|scale)", p.name)]
    shifts = [p for p in pieces if re.match(r"(?i)^(be|beta|shift)", p.name)]
    if not scales or len(scales) != len(shifts):
        return
    rest = [p for p in pieces if p not in scales and p not in shifts]
    for layout in chains(rest, X, Y):
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
