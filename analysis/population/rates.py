"""Error rates of the rules: how often they cry wolf, and how often they are silent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.intervals import wilson
from analysis.population.truths import TRUTHS
from analysis.population.twins import Twins
from analysis.symptoms import SYMPTOMS, judge
from analysis.symptoms.traces import Flags, Traces

MOMENTS = (0.1, 0.2, 0.5, 1.0)
FACTORS = (0.1, 0.2, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0, 10.0)


def verdicts(pairs: Iterable[Twins]) -> pd.DataFrame:
    """Return a row a run, symptom and moment: what the rule says, and what is true.

    Returns:
        Columns `data`, `choosing`, `symptom`, `moment`, `says` (null where it cannot be told),
        `true`.
    """
    rows = []
    for pair in pairs:
        true = {name: truth.of(pair) for name, truth in TRUTHS.items()}
        for moment in MOMENTS:
            said = judge(pair.short.frame, moment)
            rows += [
                pd.DataFrame({"says": said[name].to_numpy(), "true": true[name]}).assign(
                    data=pair.data, choosing=pair.choosing, symptom=name, moment=moment
                )
                for name in SYMPTOMS
            ]
    return pd.concat(rows, ignore_index=True)


def error_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Count errors.

    Args:
        table: as from `verdicts`.

    Returns:
        A row a symptom and moment. `without` runs do not have the symptom, and the rule says it of
        the share `false_alarms` of them, between `false_low` and `false_high` with 95 %, and of
        `false_most` of them on the data set where most. `having` runs have it, and the rule is
        silent on the share `missed` of them, between `missed_low` and `missed_high`. `limit` is
        the rule's.
    """
    table = table[table["says"].notna()]
    rows: list[dict[str, Any]] = []
    for name in SYMPTOMS:
        for moment in MOMENTS:
            here = table[(table["symptom"] == name) & (table["moment"] == moment)]
            rows.append({"symptom": name, "moment": moment} | _errors(here))
            rows[-1]["limit"] = SYMPTOMS[name].limit
    return pd.DataFrame(rows)


def _errors(here: pd.DataFrame) -> dict[str, Any]:
    says, true = here["says"].to_numpy(bool), here["true"].to_numpy(bool)
    false = pd.Series(says[~true]).groupby(here["data"].to_numpy()[~true]).mean()
    row: dict[str, Any] = {}
    for word, n, hits in (
        ("false", int((~true).sum()), int((says & ~true).sum())),
        ("missed", int(true.sum()), int((~says & true).sum())),
    ):
        low, high = wilson(hits, n)
        rate = hits / n if n else np.nan
        row |= {
            {"false": "without", "missed": "having"}[word]: n,
            {"false": "false_alarms", "missed": "missed"}[word]: rate,
            f"{word}_low": float(low),
            f"{word}_high": float(high),
        }
    return row | {"false_most": false.max() if len(false) else np.nan}


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else np.nan


def choices(pairs: Sequence[Twins], moments: Sequence[float] = (0.5, 1.0)) -> pd.DataFrame:
    """Return what errors other limits would make: a row a symptom, limit and moment.

    Args:
        pairs: runs to choose limits on.
        moments: shares of the training.
    """
    rows = []
    for name, symptom in SYMPTOMS.items():
        if symptom.measure is None:
            continue
        true = np.concatenate([TRUTHS[name].of(pair) for pair in pairs])
        for moment in moments:
            traces = [Traces(pair.short.frame, moment) for pair in pairs]
            with np.errstate(all="ignore"):
                value = np.concatenate([symptom.measure(t) for t in traces])
            ended = np.concatenate([t.diverged for t in traces])
            for limit in (symptom.limit * factor for factor in FACTORS):
                says = (value >= limit) & (~ended | (name in ("diverged", "exploding_gradient")))
                rows.append((name, limit, moment, _share(says[~true]), _share(~says[true])))
    return pd.DataFrame(rows, columns=["symptom", "limit", "moment", "false_alarms", "missed"])
