"""Symptoms: what a run's probes show of how it failed.

>>> from analysis import symptoms
>>> from sweeps import records
>>> frame = records.runs("store", columns=symptoms.NEEDED)    # doctest: +SKIP
>>> symptoms.judge(frame).mean()    # doctest: +SKIP
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.symptoms.table import SYMPTOMS, Symptom
from analysis.symptoms.traces import HISTORY, Traces

__all__ = ["NEEDED", "SYMPTOMS", "Symptom", "dominant", "judge"]

# The columns of a stored run that `judge` reads.
NEEDED = (
    "outcome",
    "steps",
    "epochs",
    "samples",
    "batch_size",
    "classes",
    "loss",
    "reduction",
    "dtype",
    "n_out",
    "prior_loss",
    "history_epoch",
    "history_loss",
    *dict.fromkeys(HISTORY + probe for symptom in SYMPTOMS.values() for probe in symptom.reads),
)
# What runs that diverged may show besides; of the rest, their last records tell nothing.
_BEFORE_DIVERGING = ("diverged", "exploding_gradient")


def judge(frame: pd.DataFrame, until: float = 1.0) -> pd.DataFrame:
    """Say which symptoms each run shows.

    Args:
        frame: a row a run, with the columns `NEEDED`, as from `sweeps.records.runs`. A probe whose
            column is not there counts as not recorded.
        until: look only at this first share of the training asked for, above 0, up to 1.

    Returns:
        A row a run under the index of `frame`, a column for each of `SYMPTOMS`: true, false, or
        null where it cannot be told from what was recorded.

    Raises:
        ValueError: `until` lies outside.
    """
    if not 0 < until <= 1:
        raise ValueError(f"`until` must be above 0 and at most 1; got {until}.")
    traces = Traces(frame, until)
    columns = {
        symptom.name: _judged(symptom, traces)
        for symptom in SYMPTOMS.values()
        if symptom.measure is not None
    }
    judged = pd.DataFrame(columns, index=frame.index)
    failures = [name for name in columns if SYMPTOMS[name].isfailure]
    # A failure that is seen decides; without one, any that cannot be told leaves it open.
    failed = judged[failures[0]]
    for name in failures[1:]:
        failed = failed | judged[name]
    return judged.assign(healthy=~failed)


def _judged(symptom: Symptom, traces: Traces) -> pd.api.extensions.ExtensionArray:
    assert symptom.measure is not None  # noqa: S101 - for mypy
    with np.errstate(all="ignore"):  # runs that explode have inf and NaN in their curves
        value = symptom.measure(traces)
    there = np.logical_and.reduce([traces.has(probe) for probe in ("epoch", *symptom.reads)])
    flags, unknown = value >= symptom.limit, ~there | np.isnan(value)
    if symptom.relative:
        unknown |= np.isnan(traces.column("prior_loss"))
    if symptom.name not in _BEFORE_DIVERGING:
        flags, unknown = flags & ~traces.diverged, unknown & ~traces.diverged
    return pd.arrays.BooleanArray(flags, unknown)


def dominant(judged: pd.DataFrame) -> pd.Series:
    """Name the one symptom that tells most about each run.

    Args:
        judged: as from `judge`.

    Returns:
        The first failure, in the order of `SYMPTOMS`, that is true; so a dead layer comes before
        the plateau that it explains. "healthy" where none is, null where that cannot be told.
    """
    names = pd.Series(pd.NA, index=judged.index, dtype="string")
    names[judged["healthy"].fillna(value=False).astype(bool)] = "healthy"
    for name in reversed([n for n in SYMPTOMS if SYMPTOMS[n].isfailure]):
        names[judged[name].fillna(value=False).astype(bool)] = name
    return names
