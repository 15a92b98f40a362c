"""What happened: runs, outcomes, symptoms, and the findings as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.contrasts import Finding, enough_replicates
from analysis.frames import Study
from analysis.grid import Rate
from analysis.intervals import Array
from analysis.report.section import Section
from analysis.words import color_of, count, listed, percent, phrase, settings, side, title_of

MOST_SPOTS = 8
# Of the better side, the share that fails otherwise from which on it is said.
OFTEN = 0.25


def section(study: Study, found: Sequence[Finding], place: Mapping[int, str]) -> Section:
    """Tell what became of the runs.

    Args:
        study: the runs.
        found: the findings, most telling first.
        place: the picture that shows each finding, by its number from 1.
    """
    table = outcomes(study)
    sentences = [
        {
            "number": k,
            "text": sentence(study, finding),
            "picture": place.get(k),
            "symptom": finding.symptom,
        }
        for k, finding in enumerate(found, start=1)
    ]
    context = {
        "lead": lead(study, table),
        "bars": [row for row in table.to_dict("records") if row["runs"]],
        "findings": sentences,
        "nothing": None if found else nothing(study),
        "spots": [] if found or not study.axes else hot_spots(study),
    }
    return Section(
        "findings",
        "What happened",
        context,
        tables={"outcomes": table, "findings": as_table(study, found)},
    )


def outcomes(study: Study) -> pd.DataFrame:
    """Count runs by their first symptom: `symptom`, `title`, `runs`, `share`, `low`, `high`."""
    counted = study.frame["symptom"].value_counts()
    rows = []
    names = [*study.occurring, "healthy", *(["unknown"] if "unknown" in counted else [])]
    for name in names:
        runs = int(counted.get(name, 0))
        rate = Rate.of(*_by_unit(study.frame, name))
        low, high = rate.interval
        rows.append(
            {
                "symptom": name,
                "title": title_of(name),
                "color": color_of(name),
                "runs": runs,
                "share": rate.share,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def lead(study: Study, table: pd.DataFrame) -> str:
    """Say in a sentence or two what was trained and how it went."""
    frame = study.frame
    cells, units = frame["cell"].nunique(), frame["unit"].nunique()
    healthy = int(table.loc[table["symptom"] == "healthy", "runs"].sum())
    trained = f"{count(len(frame), 'run')} in {count(cells, 'cell')}, {count(units, 'replicate')}: "
    if healthy == len(frame):
        return trained + "all of them healthy."
    worst = table[table["symptom"] != "healthy"].sort_values("runs", ascending=False).iloc[0]
    if worst["runs"] == len(frame) and worst["symptom"] != "unknown":
        return trained + f"all {phrase(study, worst['symptom'])}."
    unknown = int((frame["symptom"] == "unknown").sum())
    untold = f", {unknown} that cannot be told from their probes" if unknown else ""
    return trained + f"{healthy or 'none'} healthy, {len(frame) - healthy - unknown} not{untold}."


def sentence(study: Study, finding: Finding) -> str:
    """Write a finding: where it fails, how often, and what one change does."""
    bad, good = finding.at_bad, finding.at_good
    where = ", ".join(
        filter(None, [settings(study, finding.fixed), side(study, finding.axis, finding.bad)])
    )
    pooled = [axis for axis in study.axes if axis != finding.axis and axis not in finding.fixed]
    over = f" (over every {listed(pooled)})" if pooled else ""
    return (
        f"{where}{over}: {bad.hits} of {bad.runs} runs {phrase(study, finding.symptom)} "
        f"{_percent(bad)}; {_at(study, finding)} {_some(good)} "
        f"of {good.runs} {_percent(good)}{_otherwise(finding)}."
    )


def _at(study: Study, finding: Finding) -> str:
    words = side(study, finding.axis, finding.good)
    return f"at {words}" if words.startswith(f"{finding.axis} ") else f"with {words}"


def _otherwise(finding: Finding) -> str:
    """Say where the better side fails as well, in another way."""
    share = finding.otherwise
    if share < OFTEN:
        return ""
    return f", though {percent(share)} of these fail otherwise"


def _some(rate: Rate) -> str:
    return str(rate.hits) if rate.hits else "none"


def _percent(rate: Rate) -> str:
    low, high = rate.interval
    return f"[{100 * low:.0f}, {100 * high:.0f} %]"


def nothing(study: Study) -> str:
    """Say why there is no finding."""
    units = study.frame["unit"].nunique()
    if not study.axes:
        return (
            "There is one cell only, so nothing can be compared with it. "
            "Give an axis two values: lr=0.01,0.1."
        )
    if not study.occurring and (study.frame["symptom"] == "unknown").any():
        return (
            "No failure was seen, but runs were trained without the probes that would show it: "
            "leave probes out of the command."
        )
    if not study.occurring:
        return (
            "No failure occurred, so there is none to be explained; "
            "the comparisons below tell better from worse."
        )
    if units < (enough := enough_replicates(study)):
        few = f"{count(units, 'replicate')} {'is' if units == 1 else 'are'} too few"
        return (
            f"{few} to tell a failure of a setting from bad luck in a sweep of this size, however "
            f"clear the maps below look: train more with replicates={enough} or above."
        )
    return (
        f"Failures occurred, but no difference between settings is clear beyond chance with "
        f"{count(units, 'replicate')}; more may show one."
    )


def hot_spots(study: Study) -> list[str]:
    """Say in which cell each failure is most frequent: what is seen, without a test."""
    frame = study.frame
    sentences = []
    for symptom in study.occurring:
        hits = (frame["symptom"] == symptom).groupby(frame["cell"]).agg(["sum", "size"])
        cell = int(hits.index[int(np.argmax(hits["sum"] / hits["size"]))])
        here = frame[frame["cell"] == cell]
        rate = Rate.of(*_by_unit(here, symptom))
        sentences.append(
            f"{settings(study, study.at(cell))}: {rate.hits} of {rate.runs} runs "
            f"{phrase(study, symptom)} {_percent(rate)}."
        )
    return sentences[:MOST_SPOTS]


def _by_unit(frame: pd.DataFrame, symptom: str) -> tuple[Array, Array]:
    """Return the hits and runs of each unit."""
    hits = (frame["symptom"] == symptom).groupby(frame["unit"]).agg(["sum", "size"])
    return hits["sum"].to_numpy(np.float64), hits["size"].to_numpy(np.float64)


def as_table(study: Study, found: Sequence[Finding]) -> pd.DataFrame:
    """Return the findings as a frame, for a CSV."""
    rows: list[dict[str, Any]] = []
    for k, finding in enumerate(found, start=1):
        row: dict[str, Any] = {"finding": k, "symptom": finding.symptom, "axis": finding.axis}
        row |= {
            "bad": ", ".join(study.label(finding.axis, level) for level in finding.bad),
            "good": ", ".join(study.label(finding.axis, level) for level in finding.good),
        }
        row["fixed"] = settings(study, finding.fixed)
        for word, rate in (("bad", finding.at_bad), ("good", finding.at_good)):
            low, high = rate.interval
            row |= {
                f"{word}_hits": rate.hits,
                f"{word}_runs": rate.runs,
                f"{word}_low": low,
                f"{word}_high": high,
            }
        rows.append({**row, "p": finding.p})
    seen = [
        f"{word}_{what}" for word in ("bad", "good") for what in ("hits", "runs", "low", "high")
    ]
    columns = ["finding", "symptom", "axis", "bad", "good", "fixed", *seen, "p"]
    return pd.DataFrame(rows, columns=columns)
