"""What mattered: the share of the variance that goes with each axis, and each pair."""

from __future__ import annotations

import pandas as pd

from analysis.figures.bars import draw_shares, label
from analysis.frames import Study
from analysis.report.section import Picture, Section

MOST_TERMS = 16


def section(study: Study, table: pd.DataFrame) -> Section:
    """Draw shares of variance.

    Args:
        study: the runs.
        table: `analysis.variance.shares` of them.
    """
    if not study.axes:
        return Section("importance", "What mattered")
    kinds = [
        "other" if t in (("replicates",), ("rest",)) else "pair" if len(t) > 1 else "axis"
        for t in table["axes"]
    ]
    labeled = table.assign(label=[label(t) for t in table["axes"]], kind=kinds)
    terms, others = labeled[labeled["kind"] != "other"], labeled[labeled["kind"] == "other"]
    shown = pd.concat([terms.head(MOST_TERMS), others])
    shown = shown[(shown["kind"] == "axis") | (shown["share"] > 0)].drop(columns="axes")
    shown = shown.reset_index(drop=True)
    picture = Picture(
        "importance",
        "Dark: an axis alone; light: two axes together, beyond what each does alone; gray: what no "
        "axis explains. Lines are 95 % intervals, with replicates drawn anew.",
        "Bars of the share of variance that goes with each axis and pair of axes.",
        (shown,),
        lambda: draw_shares(shown, "What the final loss depends on"),
    )
    written = labeled.drop(columns="axes")[["label", "kind", "share", "low", "high"]]
    return Section("importance", "What mattered", {}, [picture], {"importance": written})
