"""The figures of a page, as SVG: the error of each array, and the losses of training."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from diagnosis.answer import Curves
from diagnosis.gradient import ArrayCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RIGHT, WRONG = "#2a6f97", "#b00020"
WIDTH = 6.4
# From a little less than rounding to a little more than twice as large as it should be, for every
# page, so that a dot means the same on all of them.
LEAST, MOST = 1e-17, 10.0
TICKS = (1e-16, 1e-12, 1e-8, 1e-4, 1.0)


def errors(checks: Mapping[str, ArrayCheck]) -> str:
    """Draw the relative error of each array on a logarithmic scale, the same for all pages."""
    figure, axes = _figure(0.8 + 0.26 * len(checks))
    for marker, color, ok in (("o", RIGHT, True), ("X", WRONG, False)):
        rows = [i for i, check in enumerate(checks.values()) if check.ok == ok]
        shown = [list(checks.values())[i].error for i in rows]
        at = np.clip(shown, 2 * LEAST, MOST / 2)
        axes.plot(at, rows, marker, color=color, markersize=7, gid="right" if ok else "wrong")
    axes.set(xscale="log", xlim=(LEAST, MOST), xticks=TICKS, xlabel="relative error")
    axes.set_yticks(range(len(checks)), list(checks), parse_math=False)
    axes.set_ylim(len(checks) - 0.4, -0.6)
    axes.grid(axis="x", color="#e3e4e8")
    axes.set_axisbelow(True)
    return _svg(figure)


def curves(losses: Curves) -> str:
    """Draw the losses of the author's training and of the mended one, those that there are."""
    figure, axes = _figure(3.2)
    drawn = [
        (values, label, color)
        for values, label, color in (
            (losses.author, "as it is", WRONG),
            (losses.mended, "mended", RIGHT),
        )
        if values is not None
    ]
    for values, label, color in drawn:
        axes.plot(values, label=label, color=color)
    axes.set(xlabel="step", ylabel="loss")
    if all(np.nanmin(values, initial=np.inf) > 0 for values, _, _ in drawn):
        axes.set_yscale("log")
    axes.legend()
    return _svg(figure)


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    out = io.StringIO()
    # A salt and no date: the same answer is the same page to the last byte.
    with rc_context({"svg.hashsalt": "diagnosis", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
