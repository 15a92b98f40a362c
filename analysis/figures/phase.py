"""Draws phase maps, or rates along one axis or over cells where there are not two."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.figures.style import (
    COLORS,
    FAINT,
    INK,
    NOTHING,
    SEQUENTIAL,
    blank,
    is_spaced_by_factors,
    named,
    plain,
    ticks,
)
from analysis.phase import Panel, Phase, grid_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERS = 8  # cells to a side of a panel in which the rate is also written
PERCENT = "share of runs"
# Inches.
PANEL, GAP, LINE = (2.15, 1.75), (0.22, 0.42), 0.16
TITLE_WIDTH = 30  # characters above a panel
MARGIN = {"left": 0.8, "right": 1.05, "top": 0.68, "bottom": 0.62}


@dataclass(frozen=True)
class Mark:
    """A finding's number, written at its place in a map."""

    number: int
    panel: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]


def draw_map(phase: Phase, title: str, marks: Sequence[Mark] = ()) -> Figure:
    """Draw a map of a rate: a panel for each level of the facets, one scale from none to all."""
    import seaborn as sns

    rows, columns = grid_shape(len(phase.panels))
    titles = [plain(textwrap.fill(panel.title, TITLE_WIDTH)) for panel in phase.panels]
    figure, grid, beside = _page(rows, columns, max(title.count("\n") for title in titles))
    colors = sns.color_palette(SEQUENTIAL, as_cmap=True)
    mesh = None
    for k, axes in enumerate(grid.flat):
        if k >= len(phase.panels):
            axes.set_axis_off()
            continue
        panel = phase.panels[k]
        # Not seaborn's heatmap, which draws the whole figure anew for each panel.
        mesh = axes.pcolormesh(
            np.ma.masked_invalid(panel.rate), vmin=0, vmax=1, cmap=colors, rasterized=True
        )
        axes.patch.set(**NOTHING)
        axes.set_title(titles[k])
        _label(axes, phase, left=k % columns == 0, below=k + columns >= len(phase.panels))
        _write_rates(axes, panel)
        _outline(axes, [mark for mark in marks if mark.panel == k])
    bar = figure.colorbar(mesh, cax=beside)
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["none", "25 %", "50 %", "75 %", "all"])
    bar.outline.set_visible(False)
    bar.set_label(PERCENT)
    figure.suptitle(
        plain(title), fontsize=11, fontweight="bold", y=1 - 0.12 / figure.get_figheight(), va="top"
    )
    if any(np.isnan(panel.rate).any() for panel in phase.panels):
        from matplotlib.patches import Patch

        patch = Patch(**NOTHING, label="not trained")
        figure.legend(handles=[patch], loc="lower left")
    return figure  # type: ignore[no-any-return]


def _page(rows: int, columns: int, more_lines: int) -> tuple[Any, Any, Any]:
    """Return a figure, its panels and the place of the color bar, all sizes in inches.

    Placed by hand: a layout engine would measure every text of every panel, which takes longer than
    to draw them.
    """
    gap, top = GAP[1] + LINE * more_lines, MARGIN["top"] + LINE * more_lines
    width = MARGIN["left"] + columns * PANEL[0] + (columns - 1) * GAP[0] + MARGIN["right"]
    height = top + rows * PANEL[1] + (rows - 1) * gap + MARGIN["bottom"]
    figure, grid = blank(width, height, rows, columns, layout="none")
    figure.subplots_adjust(
        left=MARGIN["left"] / width,
        right=1 - MARGIN["right"] / width,
        top=1 - top / height,
        bottom=MARGIN["bottom"] / height,
        wspace=GAP[0] / PANEL[0],
        hspace=gap / PANEL[1],
    )
    place = (
        1 - (MARGIN["right"] - 0.2) / width,
        MARGIN["bottom"] / height,
        0.12 / width,
        1 - (top + MARGIN["bottom"]) / height,
    )
    return figure, grid, figure.add_axes(place)


def _label(axes: Axes, phase: Phase, *, left: bool, below: bool) -> None:
    at, labels = ticks(phase.xs)
    axes.set_xticks(at, labels if below else [])
    axes.set_xlabel(named(phase.x) if below else "")
    at, labels = ticks(phase.ys)
    axes.set_yticks(at, labels if left else [])
    axes.set_ylabel(named(phase.y) if left else "")
    axes.tick_params(length=3)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_rates(axes: Axes, panel: Panel) -> None:
    if max(panel.rate.shape) > MOST_NUMBERS:
        return
    for (row, column), rate in np.ndenumerate(panel.rate):
        if np.isfinite(rate):
            color = "white" if rate > 0.45 else INK
            place = (column + 0.5, row + 0.5)
            axes.text(
                *place, f"{100 * rate:.0f}", ha="center", va="center", color=color, fontsize=8
            )


def _outline(axes: Axes, marks: Sequence[Mark]) -> None:
    """Draw a frame around a finding's cells and write its number at the corner."""
    taken: dict[tuple[int, int], int] = {}
    from matplotlib.patches import Rectangle

    for mark in marks:
        left, right = min(mark.columns), max(mark.columns) + 1
        low, high = min(mark.rows), max(mark.rows) + 1
        frame: dict[str, Any] = {"fill": False, "edgecolor": COLORS[3], "linewidth": 2}
        axes.add_patch(Rectangle((left, low), right - left, high - low, clip_on=False, **frame))
        beside = taken.get((left, high), 0)
        taken[left, high] = beside + 1
        axes.annotate(
            str(mark.number),
            (left, high),
            xytext=(14 * beside, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=7.5,
            fontweight="bold",
            color="white",
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": COLORS[3], "edgecolor": "white"},
            annotation_clip=False,
            zorder=5,
        )


def draw_line(table: pd.DataFrame, x: str, colors: dict[str, str], title: str) -> Figure:
    """Draw rates of several symptoms along one axis, with their intervals.

    Args:
        table: `symptom`, the axis, `hits`, `rate`, `low`, `high`, and `panel`.
        x: the axis.
        colors: of each symptom, with the words of the legend as keys.
        title: of the figure.
    """
    panels = list(dict.fromkeys(table["panel"]))
    rows, columns = grid_shape(len(panels), 3)
    figure, grid = blank(3.2 * columns + 0.8, 2.5 * rows + 1.0, rows, columns, sharey=True)
    for k, axes in enumerate(grid.flat):
        if k >= len(panels):
            axes.set_axis_off()
            continue
        for symptom, color in colors.items():
            part = table[(table["panel"] == panels[k]) & (table["symptom"] == symptom)]
            seen = part[part["hits"] > 0]
            # Where none was seen, intervals of all symptoms would lie over each other.
            axes.vlines(seen[x], seen["low"], seen["high"], color=color, lw=1.2, alpha=0.5)
            axes.plot(part[x], part["rate"], color=color, lw=1.4, label=symptom)
            axes.plot(seen[x], seen["rate"], "o", color=color, ms=3.5)
        axes.set_title(plain(panels[k]))
        _rate_axis(axes, "y", labeled=k % columns == 0)
        axes.set_xlabel(named(x) if k + columns >= len(panels) else "")
        if is_spaced_by_factors(list(table[x])):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.minorticks_off()
    _finish(figure, grid, title, len(colors))
    return figure  # type: ignore[no-any-return]


def draw_dots(table: pd.DataFrame, colors: dict[str, str], title: str) -> Figure:
    """Draw rates of several symptoms in each of a few cells, with their intervals.

    Args:
        table: `symptom`, `label` (of the cell), `hits`, `rate`, `low`, `high`.
        colors: of each symptom, with the words of the legend as keys.
        title: of the figure.
    """
    labels = list(dict.fromkeys(table["label"]))
    figure, grid = blank(7.2, 0.32 * len(labels) + 1.3)
    axes = grid[0, 0]
    step = 0.7 / max(len(colors), 1)
    for k, (symptom, color) in enumerate(colors.items()):
        part = table[(table["symptom"] == symptom) & (table["hits"] > 0)]
        y = [labels.index(label) + (k - (len(colors) - 1) / 2) * step for label in part["label"]]
        axes.hlines(y, part["low"], part["high"], color=color, lw=1.6, alpha=0.6)
        axes.plot(part["rate"], y, "o", color=color, ms=4.5, label=symptom, clip_on=False, zorder=3)
    axes.set_yticks(range(len(labels)), [plain(label) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(color="#e5e5e5")
    axes.set_axisbelow(True)
    _rate_axis(axes, "x", labeled=True)
    _finish(figure, grid, title, len(colors))
    return figure  # type: ignore[no-any-return]


def _rate_axis(axes: Axes, which: str, *, labeled: bool) -> None:
    getattr(axes, f"set_{which}lim")(-0.03, 1.03)
    labels = ["none", "25 %", "50 %", "75 %", "all"]
    getattr(axes, f"set_{which}ticks")([0, 0.25, 0.5, 0.75, 1], labels)
    if labeled:
        getattr(axes, f"set_{which}label")(PERCENT)
    axes.tick_params(color=FAINT)


def _finish(figure: Any, grid: Any, title: str, entries: int) -> None:
    figure.suptitle(plain(title), fontsize=11, fontweight="bold")
    if entries:
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(entries, 4))
