"""A map of a sweep: the median of a value over two numeric axes, a panel for each other cell.

python -m analysis.heatmap plateau docs/plateau.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures.style import NOTHING, SEQUENTIAL, named, plain, ticks
from analysis.maps import Map, medians
from analysis.phase import grid_shape
from sweeps import records

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

WIDE = 32  # characters above a panel
KINDS = (".png", ".pdf", ".svg")
# Losses above this multiple of the prior's are only "worse than guessing", however large.
ABOVE_PRIOR = 1.2


def limits(drawn: Map) -> tuple[float, float]:
    """Return the ends of the one color scale: of losses 0 and a little above the prior's."""
    if drawn.prior:
        return 0.0, ABOVE_PRIOR * drawn.prior
    values = np.concatenate([table.to_numpy(float).ravel() for table in drawn.panels.values()])
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def draw(drawn: Map) -> Figure:
    """Draw a map as a row of panels, or several rows, with one color bar."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    rows, columns = grid_shape(len(drawn.panels))
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(3.4 * columns + 1.4, 3.2 * rows + 0.6),
        squeeze=False,
        layout="constrained",
    )
    low, high = limits(drawn)
    panels = list(drawn.panels.items())
    for k, axes in enumerate(grid.flat):
        if k >= len(panels):
            axes.set_axis_off()
            continue
        title, table = panels[k]
        finite = table.where(np.isfinite(table))
        sns.heatmap(
            finite, ax=axes, vmin=low, vmax=high, cmap=SEQUENTIAL, cbar=False, rasterized=True
        )
        axes.patch.set(**NOTHING)
        axes.set_title(plain(fill(title, WIDE)), fontsize=10)
        _label(axes, drawn, table, left=k % columns == 0, below=k + columns >= len(panels))
    above = any((t.to_numpy() > high).any() for _, t in panels)
    mesh = grid.flat[0].collections[0]
    bar = figure.colorbar(mesh, ax=grid, extend="max" if above else "neither", pad=0.02)
    _label_bar(bar, drawn)
    fewest, most = drawn.runs
    runs = f"{most}" if fewest == most else f"{fewest} to {most}"
    value = drawn.value.replace("_", " ").capitalize()
    figure.suptitle(f"{value}, median of {runs} runs", fontsize=12, fontweight="bold")
    if reasons := _empty(drawn):
        from matplotlib.patches import Patch

        patch = Patch(**NOTHING, label=" or ".join(reasons))
        figure.legend(handles=[patch], loc="outside lower left", frameon=False, fontsize=9)
    return figure


def _empty(drawn: Map) -> list[str]:
    """Say why cells have no color, where some have none."""
    values = np.concatenate([table.to_numpy(float).ravel() for table in drawn.panels.values()])
    reasons = {
        "half of the runs or more diverged": np.isinf(values).any(),
        "nothing to show": np.isnan(values).any(),
    }
    return [reason for reason, holds in reasons.items() if holds]


def _label(axes: Axes, drawn: Map, table: pd.DataFrame, *, left: bool, below: bool) -> None:
    axes.invert_yaxis()
    at, labels = ticks([float(v) for v in table.columns])
    axes.set_xticks(at, labels if below else [], rotation=0)
    axes.set_xlabel(named(drawn.x) if below else "")
    at, labels = ticks([float(v) for v in table.index])
    axes.set_yticks(at, labels if left else [], rotation=0)
    axes.set_ylabel(named(drawn.y) if left else "")
    axes.tick_params(length=3, color="0.4")


def _label_bar(bar: Colorbar, drawn: Map) -> None:
    bar.outline.set_visible(False)
    if drawn.prior is None:
        return
    low, high = limits(drawn)
    clear = [t for t in bar.get_ticks() if low <= t <= high]
    clear = [t for t in clear if abs(t - drawn.prior) > 0.05 * (high - low)]
    bar.set_ticks(
        [*clear, drawn.prior],
        labels=[*(f"{t:g}" for t in clear), f"{drawn.prior:.3g} prior"],
    )
    bar.ax.axhline(drawn.prior, color="white", linewidth=1.5)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw a stored sweep into a file; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.heatmap",
        description="Draw the median of a value over two numeric axes of a stored sweep, "
        "a panel for each combination of the other axes.",
    )
    parser.add_argument("sweep", help="name of the sweep; python -m sweeps.store list prints them")
    parser.add_argument("out", type=Path, help="picture to write: .png, .pdf or .svg")
    parser.add_argument("--store", default="store", help="directory of the store (default: store)")
    parser.add_argument("--x", metavar="AXIS", help="axis to the right (default: of most levels)")
    parser.add_argument("--y", metavar="AXIS", help="axis upwards (default: the next)")
    parser.add_argument("--value", default="final_loss", help="column (default: final_loss)")
    given = parser.parse_args(argv)
    try:
        _write(given)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(f"Drawn: {given.out}")
    return 0


def _write(given: argparse.Namespace) -> None:
    if given.out.suffix not in KINDS:
        raise ValueError(f"`OUT` must end in {', '.join(KINDS)}; got {given.out}.")
    frame = records.runs(given.store, given.sweep)
    if frame.empty:
        raise ValueError(f"`SWEEP` must have runs; got {given.sweep}, of which none is stored yet.")
    axes = list(records.manifest(given.store, given.sweep)[0]["axes"])
    import matplotlib as mpl

    mpl.use("agg")
    figure = draw(medians(frame, axes, given.x, given.y, given.value))
    try:
        figure.savefig(given.out, dpi=150, bbox_inches="tight")
    except OSError as error:
        raise ValueError(
            f"`OUT` must be a file that can be written; got {given.out}: {error.strerror}."
        ) from None


if __name__ == "__main__":
    raise SystemExit(main())
