"""A forum post judged: every scenario on every data set, then what was claimed in the thread.

The case comes as plain data (a file of conf/case), its runs as a frame; nothing here reads the
post's texts, which are handed through for readers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.shares import Estimate, share, side_of_half
from analysis.verdicts import Judgment, judge, trains

Case = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """One scenario on one data set.

    Attributes:
        name, data: of which.
        posted: the factors that are as posted in it.
        runs: its runs, with a column for each factor, true where mended, `trains` and `complaint`.
        judgment: what the factorial says.
        complaint: share of the posted cell's runs that show it; None where the post has none.
    """

    name: str
    data: str
    posted: tuple[str, ...]
    runs: pd.DataFrame
    judgment: Judgment
    complaint: Estimate | None

    @property
    def complains(self) -> bool | None:
        """Whether the complaint appears: in clearly more, or less, than half of the runs."""
        return None if self.complaint is None else side_of_half(self.complaint)

    def as_posted(self) -> pd.DataFrame:
        """Return the runs of the posted cell."""
        return self.runs[~self.runs[list(self.posted)].any(axis=1)]


def within(frame: pd.DataFrame, bounds: Mapping[str, Sequence[float | None]]) -> pd.Series:
    """Say of each run whether it is within all bounds, `column: [low, high]`, null for none."""
    holds = pd.Series(True, frame.index)
    for column, (low, high) in bounds.items():
        values = frame[column].astype(float)
        holds &= values.notna()
        holds &= values >= (float("-inf") if low is None else low)
        holds &= values <= (float("inf") if high is None else high)
    return holds


def measured(frame: pd.DataFrame, case: Case) -> list[Measured]:
    """Judge every scenario of a case on every data set.

    Args:
        frame: a row a run, as `analysis.endings.runs` reads them.
        case: as `sweeps.cases.load` returns it.
    """
    frame = _with_factors(frame, case)
    return [
        _scenario(frame, case, name, scenario, data)
        for name, scenario in case["scenarios"].items()
        for data in case["datasets"]
    ]


def _with_factors(frame: pd.DataFrame, case: Case) -> pd.DataFrame:
    """Add a column for each factor; what does not vary is no axis, and so no column yet."""
    frame = frame.copy()
    for factor in case["factors"]:
        frame[factor] = frame[f"case.factors.{factor}.level"] == "mended"
    for key, named in (("case.data", case["datasets"]), ("case.setting", case["settings"])):
        if key not in frame:
            frame[key] = next(iter(named), None)
    return frame


def posted_factors(case: Case, scenario: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the factors that are as posted in a scenario."""
    named = scenario["posted"]
    factors = case["factors"].items()
    return tuple(
        name for name, factor in factors if (not factor["open"] if named is None else name in named)
    )


def _scenario(
    frame: pd.DataFrame, case: Case, name: str, scenario: Mapping[str, Any], data: str
) -> Measured:
    posted = posted_factors(case, scenario)
    mended = [factor for factor in case["factors"] if factor not in posted]
    chosen = (frame["case.data"] == data) & frame[mended].all(axis=1)
    if case["settings"]:
        chosen &= frame["case.setting"] == (scenario["setting"] or next(iter(case["settings"])))
    runs = frame[chosen].copy()
    runs["trains"] = trains(runs, runs[list(case["factors"])].all(axis=1))
    runs["complaint"] = within(runs, case["complaint"]) if case["complaint"] else False
    judgment = judge(runs, posted)
    as_posted = runs[~runs[list(posted)].any(axis=1)]
    complaint = share(as_posted["complaint"].to_numpy(bool)) if case["complaint"] else None
    return Measured(name, data, posted, runs, judgment, complaint)


def summary(case: Case, scenarios: Iterable[Measured], claims: Sequence[dict[str, Any]]) -> Any:
    """Return the entry of verdicts.json: docs/cases.md explains it."""
    return {
        "scenarios": [_entry(scenario) for scenario in scenarios],
        "claims": [
            {"by": claim["by"], "claim": claim["claim"], **judged}
            for claim, judged in zip(case["claims"], claims, strict=True)
        ],
    }


def _entry(scenario: Measured) -> dict[str, Any]:
    judgment = scenario.judgment
    columns = ["factor", "verdict", "alone", "in_mended", "low", "high"]
    return {
        "name": scenario.name,
        "data": scenario.data,
        "complaint": scenario.complains,
        "trains_as_posted": judgment.posted.value,
        "trains_mended": judgment.mended.value,
        "factors": judgment.factors.reindex(columns=columns).to_dict("records"),
        "minimal": [list(names) for names in judgment.minimal],
        "perhaps_minimal": [list(names) for names in judgment.perhaps],
    }


def tables(scenarios: Iterable[Measured]) -> dict[str, pd.DataFrame]:
    """Return the whole evidence as frames: cells, factors, interactions, each with its scenario."""
    parts: dict[str, list[pd.DataFrame]] = {"cells": [], "factors": [], "interactions": []}
    for scenario in scenarios:
        for name, found in parts.items():
            frame: pd.DataFrame = getattr(scenario.judgment, name).copy()
            frame.insert(0, "scenario", scenario.name)
            frame.insert(1, "data", scenario.data)
            if name == "cells":
                frame["mended"] = frame["mended"].map(" ".join)
            found.append(frame)
    return {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}
