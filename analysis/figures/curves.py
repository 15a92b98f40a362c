"""Draws losses over epochs, and what happens inside a network, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.figures.style import (
    COLORS,
    FAINT,
    SEQUENTIAL,
    blank,
    is_spaced_by_factors,
    named,
    plain,
)
from analysis.phase import grid_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Of the highest loss in a picture, the share below which a curve has left it: it has learned.
LOWEST = 1e-6
DASHED = (0, (3, 1.5))
PROBES = {"grad_norm": "norm of dL/dW", "dead_fraction": "share of dead units"}


def draw_losses(
    tables: Mapping[str, pd.DataFrame],
    prior: float | None,
    title: str,
    *,
    isnumeric: Sequence[str] = (),
    colors: Mapping[str, str] | None = None,
) -> Figure:
    """Draw the median loss over epochs with its interval: a panel an axis, a line a level.

    Args:
        tables: axis to `level`, `epoch`, `median`, `low`, `high`.
        prior: loss of guessing, drawn in where there is one.
        title: of the figure.
        isnumeric: axes whose levels have an order, which their colors then show.
        colors: of levels, where the keys of `tables` are headings and no axes.
    """
    rows, columns = grid_shape(len(tables), 3)
    figure, grid = blank(3.5 * columns + 0.5, 2.7 * rows + 0.5, rows, columns, sharey=True)
    everything = pd.concat(tables.values())
    top = _ceiling(everything, prior)
    for k, axes in enumerate(grid.flat):
        if k >= len(tables):
            axes.set_axis_off()
            continue
        axis, table = list(tables.items())[k]
        levels = list(dict.fromkeys(table["level"]))
        chosen = colors or dict(zip(levels, palette(len(levels), axis in isnumeric), strict=True))
        lines = _curves(axes, table, chosen, top)
        if prior is not None:
            _guessing(axes, prior)
        _epoch_axis(axes, table["epoch"], labeled=k + columns >= len(tables))
        axes.set_ylabel("loss" if k % columns == 0 else "")
        _loss_axis(axes, everything, top)
        if axis:
            axes.set_title(plain(axis) if colors else "")
            _levels(axes, lines, None if colors else plain(named(axis)))
    figure.suptitle(plain(title), fontsize=11, fontweight="bold")
    return figure  # type: ignore[no-any-return]


def _guessing(axes: Axes, prior: float) -> None:
    axes.axhline(prior, color=FAINT, ls=(0, (4, 3)), lw=1, zorder=1)
    axes.annotate(
        f"guessing {prior:.3g}",
        (1, prior),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        color="#5c5c5c",
        fontsize=7.5,
    )


def _levels(axes: Axes, lines: Mapping[str, Line2D], title: str | None) -> None:
    axes.legend(
        lines.values(),  # given, because a label that begins with _ would be left out
        map(plain, lines),
        title=title,
        title_fontsize=8,
        loc="lower left",
        handlelength=1.4,
        alignment="left",
    )


def _curves(
    axes: Axes, table: pd.DataFrame, colors: Mapping[str, Any], top: float
) -> dict[str, Line2D]:
    import seaborn as sns

    levels = list(dict.fromkeys(table["level"]))
    shown = table.assign(**{c: table[c].clip(upper=top) for c in ("median", "low", "high")})
    # The interval has been computed; seaborn would draw its own by resampling, slowly.
    sns.lineplot(
        shown,
        x="epoch",
        y="median",
        hue="level",
        hue_order=levels,
        palette={level: colors[level] for level in levels},
        errorbar=None,
        estimator=None,
        ax=axes,
        lw=1.6,
        legend=False,
    )
    lines = dict(zip(levels, axes.get_lines(), strict=True))
    for level in levels:
        part = shown[(shown["level"] == level) & shown["low"].notna()]
        band = {"color": colors[level], "alpha": 0.18, "lw": 0}
        axes.fill_between(part["epoch"], part["low"], part["high"], **band)
    return lines


def palette(n: int, hasorder: bool) -> list[Any]:
    """Return n colors: in order of lightness for quantities, unlike each other for names."""
    import seaborn as sns

    if not hasorder:
        return [COLORS[k % len(COLORS)] for k in range(n)]
    colors: list[Any] = sns.color_palette(SEQUENTIAL, n + 2)[2:]
    return colors


def _ceiling(table: pd.DataFrame, prior: float | None) -> float:
    """Return the loss above which curves are cut, because they left the picture.

    Three times the highest loss that a network starts from or that guessing has.
    """
    medians = table["median"][np.isfinite(table["median"])]
    starts = table["median"][table["epoch"] == table["epoch"].min()]
    starts = starts[np.isfinite(starts)]
    usual = max(float(starts.max()) if len(starts) else 0.0, prior or 0.0) or 1.0
    highest = float(medians.max()) if len(medians) else usual
    return max(min(highest, 3 * usual), 1e-12)


def _loss_axis(axes: Axes, table: pd.DataFrame, top: float) -> None:
    shown = table["median"].clip(upper=top)
    positive = shown[shown > 0].clip(lower=LOWEST * top)
    if len(positive) and positive.max() / positive.min() > 10:
        _log_axis(axes, positive)
        if positive.min() == LOWEST * top:
            axes.set_ylim(bottom=LOWEST * top)
    axes.grid(axis="y", color="#ececec")
    axes.set_axisbelow(True)


def _log_axis(axes: Axes, values: pd.Series) -> None:
    """Scale by factors, with plain numbers where these are few enough."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    decades = np.log10(values.max() / values.min())
    if decades < 4:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2 else (1.0,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def _epoch_axis(axes: Axes, epochs: pd.Series, *, labeled: bool) -> None:
    if epochs.max() > 20:
        # Linear up to the first epoch, so that the start is in the picture.
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        tens = 10.0 ** np.arange(0, np.floor(np.log10(epochs.max())) + 1)
        axes.set_xticks([0, *tens], ["0", *(f"{ten:g}" for ten in tens)])
        axes.minorticks_off()
    axes.set_xlim(0, max(float(epochs.max()), 1.0))
    axes.set_xlabel("epoch" if labeled else "")


def draw_inside(cells: Mapping[str, Mapping[str, pd.DataFrame]], title: str) -> Figure:
    """Draw gradient norms and dead units by layer over epochs: a column a cell.

    Args:
        cells: heading of a cell to probe to `layer`, `epoch`, `median`.
        title: of the figure.
    """
    probes = [
        p for p in PROBES if any((tables[p]["median"] > 0).any() for tables in cells.values())
    ]
    figure, grid = blank(
        3.0 * len(cells) + 1.2, 2.3 * len(probes) + 0.8, len(probes), len(cells), sharey="row"
    )
    deepest = max(
        int(t["layer"].max()) for tables in cells.values() for t in tables.values() if len(t)
    )
    colors = palette(deepest, hasorder=True)
    for row, probe in enumerate(probes):
        for column, (heading, tables) in enumerate(cells.items()):
            axes, table = grid[row, column], tables[probe]
            _layers(axes, table, colors)
            if probe == "dead_fraction":
                axes.set_ylim(-0.04, 1.04)
                axes.set_yticks([0, 0.5, 1], ["none", "50 %", "all"])
            else:
                _norm_axis(axes, [t[probe] for t in cells.values()])
            if row == 0:
                axes.set_title(plain(heading))
            axes.set_ylabel(PROBES[probe] if column == 0 else "")
            if len(table):
                _epoch_axis(axes, table["epoch"], labeled=row == len(probes) - 1)
    _legend_of_layers(figure, colors)
    figure.suptitle(plain(title), fontsize=11, fontweight="bold")
    return figure  # type: ignore[no-any-return]


def _legend_of_layers(figure: Figure, colors: Sequence[Any]) -> None:
    """Explain colors by layer; which one is dashed depends on the depth of the cell."""
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], color=color, label=f"{k}") for k, color in enumerate(colors, start=1)]
    marks.append(Line2D([], [], color=FAINT, lw=2.0, ls=DASHED, label="output"))
    figure.legend(handles=marks, title="layer", loc="outside right upper")


def _layers(axes: Axes, table: pd.DataFrame, colors: Sequence[Any]) -> None:
    """Draw a line a layer; the output layer's is dashed."""
    last = table["layer"].max()
    for layer, part in table.groupby("layer"):
        kind: dict[str, Any] = {"lw": 2.0, "ls": DASHED} if layer == last else {"lw": 1.4}
        color, label = colors[int(str(layer)) - 1], f"{layer}"
        axes.plot(part["epoch"], part["median"], color=color, label=label, **kind)


def _norm_axis(axes: Axes, tables: Sequence[pd.DataFrame]) -> None:
    values = pd.concat([t["median"] for t in tables])
    positive = values[(values > 0) & np.isfinite(values)]
    if len(positive) and is_spaced_by_factors(list(positive)):
        _log_axis(axes, positive)
        low, high = max(positive.min(), positive.max() * 1e-14), positive.max()
        axes.set_ylim(low / 2, high * 2)
    axes.grid(axis="y", color="#ececec")
