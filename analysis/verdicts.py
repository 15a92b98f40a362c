"""Which suspected cause of a failure is the true one: a full factorial judged by its numbers.

Frames in, frames out; nothing here knows what a factor is about. The definitions, which
docs/cases.md and every page repeat before the numbers:

*Trains*: a run's loss, as a part of its prior's, is below the midpoint of 1 and the median of the
fully mended cell, and its output depends on the input: its units deviate over the samples by more
than 1e-6 on the average. Where not clearly more than half of the mended runs train, nothing is
decided.

*Minimal set*: mending exactly these factors makes clearly more than half of the runs train, and
mending any part of them clearly does not; where the posted program clearly trains it is empty. A
set that clearly trains while of some part that is open is told as perhaps minimal. The intervals of
all cells between the posted and the mended one hold together at 95 % (Bonferroni).

*Guilty*: mending it alone in the posted program moves the share of runs that train up by more than
0.2, with an interval clear of 0. Or, where clearly no single change does that: it is in a minimal
set, whichever that is, and spoiling it alone in the mended program moves the share down by as much.
These intervals are as wide as lets all of a scenario's hold together at 95 %, so that noise has no
culprit.

*Latent*: clearly not guilty, and spoiling it alone in the mended program moves the share down by as
much.

*Innocent*: the interval of its effect lies within 0.1 of none in the posted and in the mended
program, on the average over all contexts, and over those with any one other factor posted, or
mended; and in no single context is the effect, either way, more than 0.2 with an interval clear of
0, all contexts together at 95 %. What escapes is an effect in few contexts that is too small for
that.

*Undecided*: anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, count

import numpy as np
import pandas as pd

from analysis.endings import LEAST_SPREAD
from analysis.factorial import Factorial
from analysis.intervals import CONFIDENCE
from analysis.mends import Mends, mends
from analysis.shares import MOST, Estimate, mean_over_replicates, paired_difference, share

MOVES, LITTLE = 0.2, 0.1


@dataclass(frozen=True)
class Judgment:
    """What a full factorial says.

    Attributes:
        decided: whether the mended program trains, without which nothing follows.
        posted, mended: share of runs that train in these two cells.
        factors: a row a factor: verdict, why, and its effects with intervals: `alone` in the posted
            program, `in_mended`, and `average` over all contexts.
        interactions: a row a pair: how much more a mend does where the other is mended as well.
        minimal: the minimal sets of changes.
        perhaps: sets that are perhaps minimal.
        cells: a row a cell: the factors mended in it, n, the share that trains, with its interval.
    """

    decided: bool
    posted: Estimate
    mended: Estimate
    factors: pd.DataFrame
    interactions: pd.DataFrame
    minimal: list[tuple[str, ...]]
    perhaps: list[tuple[str, ...]]
    cells: pd.DataFrame


def trains(frame: pd.DataFrame, mended: pd.Series) -> pd.Series:
    """Say of each run whether it trains.

    Args:
        frame: `relative_loss` and `output_spread`, as `analysis.endings.runs` has them.
        mended: whether a run is of the fully mended cell.
    """
    ending = frame["relative_loss"].where(frame["relative_loss"].notna(), np.inf)
    midpoint = (1 + min(ending[mended].median(), 1.0)) / 2  # never above guessing
    return (ending < midpoint) & (frame["output_spread"] > LEAST_SPREAD)


def judge(frame: pd.DataFrame, factors: Sequence[str]) -> Judgment:
    """Judge one full factorial.

    Args:
        frame: a row a run: `replicate`, `trains`, and of each factor whether it is mended.
        factors: the suspects; without any, there is but one cell.

    Raises:
        ValueError: a cell or a replicate of one is missing, or there twice.
    """
    table = Factorial(frame, factors)
    mended = share(table.cell(table.all))
    decided = mended.low > MOST
    found = mends(table.hits) if decided else Mends()
    return Judgment(
        decided,
        share(table.cell(0)),
        mended,
        _factors(table, found, decided=decided),
        _interactions(table),
        [table.names(mask) for mask in found.minimal],
        [table.names(mask) for mask in found.perhaps],
        table.shares(),
    )


def moves(effect: Estimate) -> bool:
    """Tell whether a mend moves the share up by enough, with an interval clear of 0."""
    return effect.value > MOVES and effect.low > 0


def _factors(table: Factorial, found: Mends, *, decided: bool) -> pd.DataFrame:
    effects = [_Effects.of(table, k) for k in range(len(table.factors))]
    single = _some_single(effects)
    rows = []
    for k, (name, effect) in enumerate(zip(table.factors, effects, strict=True)):
        together = _together(found.needs(k), some_single=single)
        verdict, decisive = effect.verdict(together=together) if decided else effect.open()
        rows.append(
            {
                "factor": name,
                "verdict": verdict,
                **_columns("alone", effect.alone),
                **_columns("in_mended", effect.in_mended),
                **_columns("average", effect.average),
                "low": decisive.low,
                "high": decisive.high,
                "together": verdict == "guilty" and not moves(effect.alone_wide),
            }
        )
    return pd.DataFrame(rows, columns=None if rows else ["factor", "verdict"])


def _some_single(effects: Sequence[_Effects]) -> bool | None:
    """Tell whether some mend alone moves the share enough; None where one still may."""
    if any(moves(effect.alone_wide) for effect in effects):
        return True
    return False if all(effect.alone_wide.high < MOVES for effect in effects) else None


def _together(needed: bool | None, *, some_single: bool | None) -> bool | None:
    """Tell whether a factor is needed with others where no mend alone will do; None: perhaps."""
    if some_single or needed is False:
        return False
    return True if needed and some_single is False else None


@dataclass(frozen=True)
class _Effects:
    """What mending one factor does: in both corners, on the average, over halves of the contexts.

    The wide intervals of the corners hold for all factors together. `felt`: in some single context
    it clearly moves the share, either way.
    """

    alone: Estimate
    in_mended: Estimate
    alone_wide: Estimate
    in_mended_wide: Estimate
    average: Estimate
    halves: list[Estimate]
    felt: bool

    @classmethod
    def of(cls, table: Factorial, k: int) -> _Effects:
        bit, level = 1 << k, _joint_level(len(table.factors))
        posted = table.cell(bit), table.cell(0)
        mended = table.cell(table.all), table.cell(table.all ^ bit)
        return cls(
            paired_difference(*posted),
            paired_difference(*mended),
            paired_difference(*posted, level),
            paired_difference(*mended, level),
            mean_over_replicates(table.gains(k)),
            _in_halves(table, k),
            any(moves(effect) or moves(effect.turned()) for effect in table.in_contexts(k)),
        )

    def verdict(self, *, together: bool | None) -> tuple[str, Estimate]:
        """Return the word and the effect that it rests on."""
        if moves(self.alone_wide):
            return "guilty", self.alone_wide
        if moves(self.in_mended_wide):
            if together:
                return "guilty", self.in_mended_wide
            latent = together is False and self.alone_wide.high < MOVES
            return ("latent", self.in_mended_wide) if latent else self.open()
        contexts = [self.alone, self.in_mended, self.average, *self.halves]
        little = all(effect.low >= -LITTLE and effect.high <= LITTLE for effect in contexts)
        if little and not self.felt:
            return "innocent", max(contexts[:2], key=_reach)
        return self.open()

    def open(self) -> tuple[str, Estimate]:
        """Return that nothing is decided, and the larger of both effects."""
        return "undecided", max(self.alone_wide, self.in_mended_wide, key=_reach)


@cache
def fewest_for_innocence() -> int:
    """Return the fewest replicates after which a factor can be found innocent.

    With fewer, the interval of a paired difference reaches beyond the limit even where not a single
    pair differs, which is where it is narrowest.
    """
    return _fewest_within(LITTLE, CONFIDENCE)


@cache
def fewest_for_latency() -> int:
    """Return the fewest replicates after which a factor can be found latent, or guilty with others.

    Both ask that its mend alone clearly does little; this is for two factors, more take more.
    """
    return _fewest_within(MOVES, _joint_level(2))


def _fewest_within(limit: float, confidence: float) -> int:
    same = (np.zeros(n, bool) for n in count(1))
    return next(len(s) for s in same if paired_difference(s, s, confidence).high <= limit)


def _joint_level(factors: int) -> float:
    """Return the level at which both corners of all factors hold together at 95 %."""
    return 1 - (1 - CONFIDENCE) / (2 * factors)


def _reach(effect: Estimate) -> float:
    """Return how far an interval reaches from 0."""
    return max(-effect.low, effect.high)


def _in_halves(table: Factorial, k: int) -> list[Estimate]:
    """Return the effect of a factor averaged over contexts with one other factor held."""
    return [
        mean_over_replicates(table.gains(k, {j: on}))
        for j in range(len(table.factors))
        for on in (False, True)
        if j != k
    ]


def _interactions(table: Factorial) -> pd.DataFrame:
    rows = []
    for j, k in combinations(range(len(table.factors)), 2):
        more = table.gains(j, {k: True}) - table.gains(j, {k: False})
        pair = {"factor": table.factors[j], "other": table.factors[k]}
        rows.append({**pair, **_columns("interaction", mean_over_replicates(more))})
    return pd.DataFrame(rows)


def _columns(name: str, effect: Estimate) -> dict[str, float]:
    return {name: effect.value, f"{name}_low": effect.low, f"{name}_high": effect.high}
