"""Draws comparisons of levels, and shares of variance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.figures.style import COLORS, FAINT, INK, blank, named, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_effects(table: pd.DataFrame, title: str) -> Figure:
    """Draw how often the second level of each pair ends with the lower loss, and the first.

    Args:
        table: `label_a`, `label_b`, `a_share`, `b_share` (of pairs), `verdict`.
        title: of the figure.
    """
    figure, grid = blank(7.2, 0.42 * len(table) + 1.2)
    axes = grid[0, 0]
    y = np.arange(len(table))
    clear = (table["verdict"] != "undecided").to_numpy()
    for share, side, color in (("a_share", -1, COLORS[0]), ("b_share", 1, COLORS[1])):
        bars = axes.barh(y, side * table[share], height=0.62, color=color)
        for bar, isclear in zip(bars, clear, strict=True):
            bar.set_alpha(1.0 if isclear else 0.35)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_xlim(-1, 1)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["100 %", "50 %", "0", "50 %", "100 %"])
    axes.set_yticks(y, [plain(label) for label in table["label_a"]])
    right = axes.secondary_yaxis("right")
    right.set_yticks(y, [plain(label) for label in table["label_b"]])
    for side in (axes, right):
        side.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    right.spines["right"].set_visible(False)
    axes.invert_yaxis()
    axes.set_xlabel(
        "pairs of runs in which this level ends with the lower loss (pale: cannot be told apart)"
    )
    figure.suptitle(plain(title), fontsize=11, fontweight="bold")
    return figure  # type: ignore[no-any-return]


def draw_shares(table: pd.DataFrame, title: str) -> Figure:
    """Draw shares of variance as bars with intervals.

    Args:
        table: `label`, `share`, `low`, `high`, `kind` (axis, pair or other).
        title: of the figure.
    """
    import seaborn as sns

    figure, grid = blank(7.2, 0.3 * len(table) + 1.1)
    axes = grid[0, 0]
    colors = {"axis": COLORS[0], "pair": COLORS[4], "other": "#c8c8c8"}
    sns.barplot(
        table,
        x="share",
        y="label",
        hue="kind",
        palette=colors,
        dodge=False,
        legend=False,
        ax=axes,
        width=0.68,
        errorbar=None,
        saturation=1,
    )
    known = table["low"].notna()
    axes.hlines(np.flatnonzero(known), table["low"][known], table["high"][known], color=INK, lw=1.2)
    axes.set_yticks(range(len(table)), [plain(label) for label in table["label"]])
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("")
    axes.set_xlim(0, max(0.1, min(1.0, 1.08 * float(np.nanmax(table[["share", "high"]])))))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_xlabel("share of the variance of the ranks of the final losses")
    axes.grid(axis="x", color="#ececec")
    axes.set_axisbelow(True)
    axes.spines["left"].set_color(FAINT)
    figure.suptitle(plain(title), fontsize=11, fontweight="bold")
    return figure  # type: ignore[no-any-return]


def label(axes: tuple[str, ...]) -> str:
    """Name a term of the variance."""
    words = {"replicates": "other random numbers", "rest": "three axes or more together"}
    return words.get(axes[0], named(axes[0])) if len(axes) == 1 else " × ".join(map(named, axes))
