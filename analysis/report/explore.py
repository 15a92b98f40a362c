"""What a click on a map shows: the runs of each cell, small enough to travel with the page."""

from __future__ import annotations

import json
import shlex
from typing import Any

import numpy as np

from analysis.frames import Study
from analysis.histories import spread
from analysis.report.examples import overrides_of
from analysis.words import color_of, settings, title_of

MOST_CURVES = 12  # a cell
MOST_POINTS = 24  # a curve
MOST_NUMBERS = 800_000  # in all


def cells(study: Study) -> str:
    """Return the cells as JSON that may stand inside a script element.

    An object: `grids`, lists of epochs; `symptoms`, name to title and color; `cells`, each with
    `name`, `command`, `runs` and `curves`, which are `[symptom, grid, losses]` with null where the
    loss was not finite.
    """
    frame, traces = study.frame, study.traces
    loss = traces.curve("loss")
    grids: dict[tuple[int, ...], int] = {}
    most = max(1, min(MOST_CURVES, MOST_NUMBERS // MOST_POINTS // max(frame["cell"].nunique(), 1)))
    out = []
    symptom = frame["symptom"].to_numpy()
    number = frame["cell"].to_numpy(int)
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    for cell, rows in enumerate(np.split(order, starts[1:])):
        drawn = []
        for row in rows[:most]:
            at = np.flatnonzero(~np.isnan(traces.epochs[row]))
            at = at[spread(len(at), MOST_POINTS)]
            epochs = tuple(traces.epochs[row][at].astype(int).tolist())
            grid = grids.setdefault(epochs, len(grids))
            drawn.append([symptom[row], grid, [_short(v) for v in loss[row][at]]])
        counted: dict[str, int] = {}
        for name in symptom[rows]:
            counted[name] = counted.get(name, 0) + 1
        where = settings(study, study.at(cell)) if study.axes else "the one cell"
        command = shlex.join(["python", "train.py", *overrides_of(study, cell)])
        out.append({"name": where, "command": command, "runs": counted, "curves": drawn})
    names = ["healthy", *study.occurring]
    data = {
        "grids": list(grids),
        "symptoms": {n: {"title": title_of(n), "color": color_of(n)} for n in names},
        "prior": study.prior,
        "cells": out,
    }
    return for_script(data)


def for_script(data: Any) -> str:
    """Write JSON in which nothing can end the script element it stands in."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _short(value: float) -> float | None:
    return float(f"{value:.3g}") if np.isfinite(value) else None
