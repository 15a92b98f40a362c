"""Draws a forum post: the failure beside the mended run, and what each suspect does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.figures.curves import draw_losses
from analysis.figures.style import COLORS, FAINT, INK, blank, plain
from analysis.phase import grid_shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AS_POSTED, MENDED = "as posted", "all mended"
ENDING_COLORS = {AS_POSTED: COLORS[3], MENDED: COLORS[2]}
VERDICT_COLORS = {
    "guilty": COLORS[3],
    "latent": COLORS[1],
    "innocent": COLORS[2],
    "undecided": FAINT,
}


def draw_endings(panels: Mapping[str, pd.DataFrame], prior: float | None, title: str) -> Figure:
    """Draw the loss of the posted program, the mended one and the smallest mend.

    Args:
        panels: heading to `level` (which program), `epoch`, `median`, `low`, `high`.
        prior: loss of guessing, where all panels share it.
        title: of the figure.
    """
    levels = {level for table in panels.values() for level in table["level"]}
    colors = {level: ENDING_COLORS.get(level, COLORS[0]) for level in levels}
    return draw_losses(panels, prior, title, colors=colors)


def draw_suspects(panels: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Draw what mending each factor does to the share of runs that train: a panel a data set.

    Args:
        panels: heading to `factor`, `verdict`, and `alone`, `in_mended` with `_low` and `_high`.
        title: of the figure.
    """
    factors = list(next(iter(panels.values()))["factor"])
    rows, columns = grid_shape(len(panels), 2)
    height = 0.5 * len(factors) + 0.6
    figure, grid = blank(3.6 * columns + 1.4, height * rows + 0.9, rows, columns, sharey=True)
    figure.get_layout_engine().set(wspace=0.06)  # else the ends of neighboring scales touch
    for k, axes in enumerate(grid.flat):
        if k >= len(panels):
            axes.set_axis_off()
            continue
        heading, table = list(panels.items())[k]
        y = np.arange(len(table))
        colors = [VERDICT_COLORS[verdict] for verdict in table["verdict"]]
        for name, offset, face in (("alone", -0.14, None), ("in_mended", 0.14, "white")):
            axes.hlines(
                y + offset, table[f"{name}_low"], table[f"{name}_high"], color=colors, lw=1.6
            )
            axes.scatter(
                table[name], y + offset, s=30, c=face or colors, edgecolors=colors, lw=1.4, zorder=3
            )
        axes.axvline(0, color=INK, lw=0.8, zorder=1)
        axes.set_xlim(-1.06, 1.06)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−100 %", "−50 %", "0", "+50 %", "+100 %"])
        axes.set_yticks(y, [plain(factor.replace("_", " ")) for factor in table["factor"]])
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.grid(axis="x", color="#ececec")
        axes.set_axisbelow(True)
        axes.set_title(plain(heading))
        if k + columns >= len(panels):
            axes.set_xlabel("more runs train when it is mended")
    _legend(figure, {v for table in panels.values() for v in table["verdict"]})
    figure.suptitle(plain(title), fontsize=11, fontweight="bold")
    return figure  # type: ignore[no-any-return]


def _legend(figure: Figure, verdicts: set[str]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", lw=0, color=color, label=verdict)
        for verdict, color in VERDICT_COLORS.items()
        if verdict in verdicts
    ]
    for label, face in (("in the posted program", INK), ("in the mended one", "white")):
        marks.append(Line2D([], [], marker="o", lw=0, mec=INK, mfc=face, color=INK, label=label))
    figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 3))
