"""Which sets of changes are enough to make a program train, and which of them are minimal.

A cell *clearly* trains, or clearly does not, where the interval of its share lies on one side of
one half. The mended cell is asked first and the posted one next, each at 95 %; all the others only
after these, at a level that holds for all of them together (Bonferroni), so that noise has no mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.intervals import CONFIDENCE
from analysis.shares import share, side_of_half

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Mends:
    """Sets of changes as bits, smaller ones first.

    Attributes:
        minimal: it clearly trains, and every proper part clearly does not.
        perhaps: it clearly trains, no proper part clearly does, and of some part it is open.
        open: what more replicates could yet show to be minimal, `perhaps` included.
    """

    minimal: Sequence[int] = ()
    perhaps: Sequence[int] = ()
    open: Sequence[int] = ()

    def needs(self, k: int) -> bool | None:
        """Tell whether change k is in a minimal set, whichever that turns out to be; None: it may.

        A set that clearly trains holds a minimal one, so k is in one if all in it that may be do.
        """
        may = [*self.minimal, *self.open]
        for enough in (*self.minimal, *self.perhaps):
            if all(mask >> k & 1 for mask in may if mask & enough == mask):
                return True
        return None if any(mask >> k & 1 for mask in may) else False


def mends(hits: Bools) -> Mends:
    """Find the sets of changes after which clearly more than half of the runs train.

    Args:
        hits: `(2**k, n)`, whether a run trains: row m is the cell that has the changes of m's bits.
    """
    sides = _sides(hits)
    found: dict[str, list[int]] = {"minimal": [], "perhaps": [], "open": []}
    part_trains, parts_fail = _parts(sides)
    for mask in sorted(range(len(hits)), key=int.bit_count):
        if part_trains[mask] or sides[mask] is False:
            continue
        if sides[mask] and parts_fail[mask]:
            found["minimal"].append(mask)
            continue
        found["open"].append(mask)
        if sides[mask]:
            found["perhaps"].append(mask)
    return Mends(**found)


def _sides(hits: Bools) -> list[bool | None]:
    """Say of each cell whether it clearly trains, clearly does not, or None."""
    ends = {0, len(hits) - 1}
    between = 1 - (1 - CONFIDENCE) / max(len(hits) - len(ends), 1)
    return [
        side_of_half(share(cell, CONFIDENCE if mask in ends else between))
        for mask, cell in enumerate(hits)
    ]


def _parts(sides: Sequence[bool | None]) -> tuple[list[bool], list[bool]]:
    """Say of each set whether some proper part clearly trains, and whether all clearly do not."""
    some, none = [False] * len(sides), [True] * len(sides)
    for mask in range(len(sides)):  # a part is the smaller number, so known by then
        parts = [mask ^ 1 << k for k in range(mask.bit_length()) if mask >> k & 1]
        some[mask] = any(sides[part] is True or some[part] for part in parts)
        none[mask] = all(sides[part] is False and none[part] for part in parts)
    return some, none
