"""What all pictures share: type, colors, names of axes, ticks of levels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = MappingProxyType(
    {
        "lr": "learning rate",
        "init": "initializer",
        "init_scale": "scale of the initial weights",
        "depth": "hidden layers",
        "width": "units a layer",
        "batch_size": "batch size",
        "data.noise": "noise of the data",
    }
)
# Okabe & Ito, "Color universal design", 2008: told apart with every kind of color vision; ordered
# so that neighbors also differ in gray.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000", "#8A8A00")
INK, FAINT = "#222222", "#8c8c8c"
# Light to dark without a turn: it keeps its order in gray, on paper, and for every color vision.
SEQUENTIAL = "mako_r"
NOTHING: dict[str, Any] = {"facecolor": "white", "edgecolor": "#b0b0b0", "hatch": "////"}
MOST_LABELS = 7
DPI = 144
_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "bpcore",  # the same picture, the same bytes
    "figure.dpi": DPI,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the project's style, and leave the reader's own as it was."""
    import matplotlib as mpl

    with mpl.rc_context(_RC):
        yield


def blank(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    layout: Any = "constrained",
    **share: Any,
) -> Any:
    """Return an empty figure and its axes `(rows, columns)`, without pyplot's global list."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    return figure, figure.subplots(rows, columns, squeeze=False, **share)


def named(axis: str) -> str:
    """Return the words for an axis."""
    return WORDS.get(axis, axis.replace("_", " "))


def plain(value: str) -> str:
    """Keep a name from being read as mathematics, which a dollar sign would start."""
    return value.replace("$", r"\$")


def ticks(values: Sequence[float]) -> tuple[list[float], list[str]]:
    """Say where along the cells of an axis to write what.

    Returns:
        Positions in cells, the middle of the first at 0.5, and labels. Few values are all labeled;
        of many that are spaced by equal factors, the powers of ten, which may lie between cells.
    """
    n = len(values)
    if n > MOST_LABELS and min(values) > 0:
        logs = np.log10(values)
        if np.allclose(np.diff(logs), np.diff(logs).mean(), rtol=0.01):
            tens = range(math.ceil(logs[0] - 1e-9), math.floor(logs[-1] + 1e-9) + 1)
            if len(tens) > 1:
                at = [0.5 + (ten - logs[0]) / (logs[-1] - logs[0]) * (n - 1) for ten in tens]
                return at, [f"{10.0**ten:g}" for ten in tens]
    step = math.ceil(n / MOST_LABELS)
    return [k + 0.5 for k in range(0, n, step)], [f"{v:.3g}" for v in values[::step]]


def is_spaced_by_factors(values: Sequence[float]) -> bool:
    """Say whether positive values spread over so much that a logarithmic scale serves."""
    return min(values) > 0 and max(values) / min(values) >= 20


def where_of(axes: Axes, figure: Figure) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a panel in shares of the drawn figure, from its top."""
    box = axes.get_window_extent().transformed(figure.transFigure.inverted())
    return (
        round(float(box.x0), 5),
        round(1 - float(box.y1), 5),
        round(float(box.x1), 5),
        round(1 - float(box.y0), 5),
    )
