"""Runs to look at, each with the command that trains exactly it again."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pandas as pd

from analysis.curves import ranked_cells
from analysis.frames import Study
from analysis.report.section import Section
from analysis.words import number, settings, title_of

MOST_EXAMPLES = 10
# What says how a sweep is made and kept, not what a run is.
_OF_SWEEPS = (
    "name",
    "report",
    "store",
    "zip",
    "only",
    "plan",
    "jobs",
    "save_params",
    "replicates",
    "first_replicate",
)


def section(study: Study) -> Section:
    """Choose runs: the best, a typical one of each failure, and the odd one out."""
    rows = [_row(study, why, row) for why, row in _chosen(study).items()]
    return Section("examples", "Runs to look at", {"rows": rows})


def command(study: Study, row: int) -> str:
    """Return what trains a run again, and keeps its parameters."""
    run = study.run(row)
    return shlex.join(
        [
            *("python", "train.py", *overrides_of(study, int(run["cell"])), "replicates=1"),
            *(f"first_replicate={run['replicate']}", "save_params=run.npz"),
        ]
    )


def overrides_of(study: Study, cell: int) -> list[str]:
    """Return what the command line must say to train a cell, without how a sweep is kept."""
    return [
        override
        for override in study.overrides[cell]
        if override.partition("=")[0].lstrip("+") not in _OF_SWEEPS
    ]


def _chosen(study: Study) -> dict[str, int]:
    """Return why each run is worth a look, and its row."""
    frame = study.frame
    loss = study.loss
    order = ranked_cells(study)
    chosen: dict[str, int] = {}
    best = frame.index[frame["cell"] == order.index[0]]
    chosen["the best cell's median run"] = _middle(loss[best])
    for symptom in study.occurring:
        hit = frame["symptom"] == symptom
        rate = hit.groupby(frame["cell"]).mean()
        cell = rate.idxmax()
        typical = frame.index[hit & (frame["cell"] == cell)]
        chosen[f"typical of: {title_of(symptom)}"] = _middle(loss[typical])
    healthy = frame["symptom"] == "healthy"
    failing = pd.Series(study.failing, index=frame.index)
    rate = healthy.groupby(frame["cell"]).mean()
    for why, chosen_runs, cells in (
        ("fails where the others do not", failing, rate[(rate < 1) & (rate >= 0.8)]),
        ("trains where the others fail", healthy, rate[(rate > 0) & (rate <= 0.2)]),
    ):
        if len(cells):
            cell = (cells - 0.5).abs().idxmax()
            chosen[why] = int(frame.index[chosen_runs & (frame["cell"] == cell)][0])
    first: dict[int, str] = {}
    for why, row in chosen.items():
        first.setdefault(row, why)
    return {why: row for row, why in list(first.items())[:MOST_EXAMPLES]}


def _middle(losses: Any) -> int:
    ordered = losses.sort_values(kind="stable")
    return int(ordered.index[(len(ordered) - 1) // 2])


def _row(study: Study, why: str, row: int) -> dict[str, Any]:
    run = study.run(row)
    symptom = run["symptom"]
    return {
        "why": why,
        "where": settings(study, study.at(run["cell"])) if study.axes else "the one cell",
        "replicate": int(run["replicate"]),
        "symptom": "healthy" if symptom == "healthy" else title_of(symptom),
        "loss": number(float(run["final_loss"])),
        "command": command(study, row),
        "line": _spark(study, row),
    }


def _spark(study: Study, row: int, width: float = 96, height: float = 26) -> str:
    """Return the points of a small curve of the loss, for an SVG of this size; may be empty."""
    loss = study.traces.curve("loss")[row]
    known = np.flatnonzero(np.isfinite(loss))
    if len(known) < 2:
        return ""
    x = np.log1p(study.traces.epochs[row][known])
    y = np.log10(np.maximum(loss[known], 1e-12))
    x = (x - x[0]) / max(x[-1] - x[0], 1e-12) * width
    y = (y.max() - y) / max(y.max() - y.min(), 0.05) * (height - 2) + 1
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
