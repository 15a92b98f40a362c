"""A full factorial as a table of outcomes, and what each factor does in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.intervals import CONFIDENCE
from analysis.shares import Estimate, paired_difference, share

Bools = NDArray[np.bool_]


class Factorial:
    """Outcomes by cell and replicate; a cell is the set of factors mended in it, as bits.

    Attributes:
        factors: their names, bit by bit.
        all: the fully mended cell; the posted one is 0.
        hits: `(2**factors, replicates)`, whether a run trains.
    """

    def __init__(self, frame: pd.DataFrame, factors: Sequence[str]) -> None:
        """Take a row a run, as `analysis.verdicts.judge` does, which says what is refused."""
        self.factors = list(factors)
        self.all = 2 ** len(self.factors) - 1
        masks = np.zeros(len(frame), int)
        for k, name in enumerate(self.factors):
            masks |= frame[name].to_numpy(bool).astype(int) << k
        keys = pd.MultiIndex.from_arrays([masks, frame["replicate"].to_numpy()])
        counts = pd.Series(1, keys).groupby(level=[0, 1]).sum()
        replicates = keys.levels[1]
        if len(counts) != (self.all + 1) * len(replicates) or (counts != 1).any() or frame.empty:
            raise ValueError(
                "`frame` must have every replicate of every combination of "
                f"{', '.join(self.factors) or 'no factor'} once; got {len(frame)} runs. "
                "Train the case to its end first."
            )
        ordered = pd.Series(frame["trains"].to_numpy(bool), keys).sort_index()
        self.hits: Bools = ordered.to_numpy(bool).reshape(self.all + 1, len(replicates))

    def cell(self, mask: int) -> Bools:
        """Return the outcomes of a cell."""
        return np.asarray(self.hits[mask])

    def names(self, mask: int) -> tuple[str, ...]:
        """Return the factors that are mended in a cell."""
        return tuple(name for k, name in enumerate(self.factors) if mask >> k & 1)

    def in_contexts(self, k: int) -> list[Estimate]:
        """Return what mending factor k does in each single context; all intervals hold together."""
        contexts = [mask for mask in range(self.all + 1) if not mask >> k & 1]
        level = 1 - (1 - CONFIDENCE) / len(contexts)
        return [
            paired_difference(self.cell(mask | 1 << k), self.cell(mask), level) for mask in contexts
        ]

    def gains(self, k: int, others: dict[int, bool] | None = None) -> NDArray[np.float64]:
        """Return what mending factor k changes in each replicate, on the average over contexts."""
        contexts = [
            mask
            for mask in range(self.all + 1)
            if not mask >> k & 1 and all(mask >> j & 1 == on for j, on in (others or {}).items())
        ]
        with_it = self.hits[[mask | 1 << k for mask in contexts]].mean(axis=0)
        return np.asarray(with_it - self.hits[contexts].mean(axis=0))

    def shares(self) -> pd.DataFrame:
        """Return a row a cell: `mended`, `n`, `share`, `low`, `high`."""
        rows = [
            {"mended": self.names(mask), "n": len(hits), **share(hits)._asdict()}
            for mask, hits in enumerate(self.hits)
        ]
        return pd.DataFrame(rows).rename(columns={"value": "share"})
