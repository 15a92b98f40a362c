"""What each symptom looks like: runs of its experiment that show it, beside healthy ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.figures.style import COLORS, FAINT, INK, blank, house_style
from analysis.symptoms import NEEDED, SYMPTOMS, dominant, judge
from analysis.symptoms.measures import sensitivity, target_spread, worst
from analysis.symptoms.traces import Array, Traces
from sweeps import records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LINES = 7
DPI = 110
# Losses of runs that diverge have hundreds of digits.
LOWEST, HIGHEST = 1e-4, 1e5
SEEN: Mapping[str, Any] = MappingProxyType({"color": COLORS[3], "linewidth": 1.4, "zorder": 3})
SOUND: Mapping[str, Any] = MappingProxyType(
    {"color": FAINT, "linewidth": 1.0, "linestyle": (0, (4, 1.5)), "zorder": 2}
)


@dataclass(frozen=True)
class Panel:
    """The measurement that tells a symptom.

    Attributes:
        label: of the axis.
        curve: from the traces of `R` runs to `(R, K)`.
        lowest: the bottom of a logarithmic axis; None for a share, which has a linear one.
    """

    label: str
    curve: Callable[[Traces], Array]
    lowest: float | None = None


def _dead(traces: Traces) -> Array:
    return worst(traces.hidden(traces.curve("dead_fraction")))


def _saturated(traces: Traces) -> Array:
    return worst(traces.hidden(traces.curve("saturated_fraction")))


def _shrunk(traces: Traces) -> Array:
    norms = traces.curve("weight_norm")
    return -worst(-norms / norms[:, :1])


def _step(traces: Traces) -> Array:
    return worst(traces.curve("update_ratio"))


def _spread(traces: Traces) -> Array:
    return traces.curve("output_spread") / target_spread(traces)[:, None]


def _first_gradient(traces: Traces) -> Array:
    return traces.curve("grad_norm")[:, :, 0]


def _accuracy(traces: Traces) -> Array:
    return traces.curve("accuracy")


PANELS: Mapping[str, Panel] = MappingProxyType(
    {
        "diverged": Panel("largest step,\nover norm of W", _step, 1e-5),
        "dead_layer": Panel("share of dead units,\nworst layer", _dead),
        "collapsed_weights": Panel("norm of W over the start's,\nworst layer", _shrunk, 1e-8),
        "stuck_at_prior": Panel("spread of the output,\nover the targets'", _spread, 1e-10),
        "saturated": Panel("share of saturated activations,\nworst layer", _saturated),
        "exploding_gradient": Panel(
            "norm of W × norm of dL/dW,\nover the loss of guessing",
            lambda traces: worst(sensitivity(traces)),
            1e-4,
        ),
        "vanishing_gradient": Panel("norm of dL/dW, first layer", _first_gradient, 1e-10),
        "oscillating": Panel("accuracy", _accuracy),
        "slow": Panel("accuracy", _accuracy),
        "not_learning": Panel("accuracy", _accuracy),
        "dead_units": Panel("share of dead units,\nworst layer", _dead),
    }
)


def draw_all(store: str | Path, folder: Path) -> Iterator[Path]:
    """Draw every symptom from the sweep of its experiment in a store; yield the files.

    Raises:
        BadInput: an experiment is not in the store.
        ValueError: no run of an experiment shows the symptom, or none is healthy.
    """
    folder.mkdir(exist_ok=True)
    for name in PANELS:
        frame = records.runs(store, SYMPTOMS[name].experiment, COLUMNS)
        path = folder / f"{name}.png"
        with house_style():
            _save(draw(name, frame), path)
        yield path


def _save(figure: Figure, path: Path) -> None:
    """Write a small file: 32 colors are enough for two and their shades."""
    from PIL import Image

    buffer = BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png")
    with Image.open(buffer) as image:
        image.convert("RGB").quantize(32).save(path, optimize=True)


COLUMNS = (*NEEDED, "data", "history_accuracy")


def draw(name: str, frame: pd.DataFrame) -> Figure:
    """Draw loss and telling measurement of runs with a symptom and of healthy ones.

    Args:
        name: of the symptom.
        frame: a row a run, of one experiment.

    Raises:
        ValueError: no run shows the symptom, or none is healthy.
    """
    judged = judge(frame)
    first = dominant(judged) == name
    seen = (first if first.any() else judged[name]).fillna(value=False).to_numpy(bool)
    sound = judged["healthy"].fillna(value=False).to_numpy(bool) & ~seen
    if not seen.any() or not sound.any():
        raise ValueError(
            f"`{SYMPTOMS[name].experiment}` must have runs that show {name} and healthy ones; it "
            "lacks one of them. Change the experiment."
        )
    figure: Figure
    figure, [[left, right]] = blank(7.2, 2.5, columns=2)
    panel = PANELS[name]
    for mask, style in ((sound, SOUND), (seen, SEEN)):
        traces = Traces(frame.iloc[_some(mask)].reset_index(drop=True))
        _lines(left, traces, traces.curve("loss"), style)
        _lines(right, traces, panel.curve(traces), style)
    _loss_axis(left, float(frame["prior_loss"].iloc[0]))
    _own_axis(right, panel)
    handles = [left.plot([], [], **dict(style))[0] for style in (SEEN, SOUND)]
    title = SYMPTOMS[name].title
    labels = [f"{title} ({seen.sum()} of {len(frame)} runs)", f"healthy ({sound.sum()})"]
    figure.legend(handles, labels, loc="outside upper left", ncols=2)
    return figure


def _some(mask: np.ndarray) -> np.ndarray:
    """Return a few rows, evenly from all."""
    rows = np.flatnonzero(mask)
    chosen = np.linspace(0, len(rows) - 1, min(MOST_LINES, len(rows)))
    return np.asarray(rows[np.rint(chosen).astype(int)])


def _lines(axes: Axes, traces: Traces, curves: Array, style: Mapping[str, Any]) -> None:
    for epochs, values in zip(traces.epochs, curves, strict=True):
        axes.plot(epochs, np.where(np.isfinite(values), values, np.nan), **dict(style))


def _loss_axis(axes: Axes, prior: float) -> None:
    axes.axhline(prior, color=INK, linewidth=0.9, linestyle=":", zorder=1)
    axes.annotate(
        "guessing",
        (1, prior),
        (0, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
    axes.set_ylabel("loss")
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.get_lines()])
    if np.nanmax(drawn) > 10 * prior:
        axes.set_yscale("log")
        axes.set_ylim(max(np.nanmin(drawn), LOWEST) / 1.5, min(np.nanmax(drawn), HIGHEST) * 1.5)
    else:
        axes.set_ylim(bottom=0)
    _epochs(axes)


def _own_axis(axes: Axes, panel: Panel) -> None:
    axes.set_ylabel(panel.label)
    if panel.lowest is None:
        axes.set_ylim(-0.03, 1.03)
    else:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, panel.lowest), min(high, 1e6))
    _epochs(axes)


def _epochs(axes: Axes) -> None:
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    drawn = (np.asarray(line.get_xdata(), float) for line in axes.get_lines())
    last = max(np.nanmax(epochs, initial=1) for epochs in drawn)
    ticks = [0, *(10**k for k in range(int(np.log10(last)) + 1))]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0, last)
    axes.set_xlabel("epoch")
