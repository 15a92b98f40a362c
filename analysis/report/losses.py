"""Curves: the loss over epochs by the levels of each axis."""

from __future__ import annotations

from analysis.curves import MOST_LEVELS, by_axis
from analysis.figures.curves import draw_losses
from analysis.frames import Study
from analysis.report.section import Picture, Section
from analysis.words import number


def section(study: Study) -> Section:
    """Draw the loss by axis."""
    axes = list(study.axes) or [""]
    tables = {axis: by_axis(study, axis or None) for axis in axes}
    tables = {axis: table for axis, table in tables.items() if len(table)}
    if not tables:
        return Section("losses", "Curves")
    prior = study.prior
    title = "Loss while training"
    guess = (
        f" Dashed: {number(prior)}, the loss of a network that ignores its input."
        if prior is not None
        else ""
    )
    many = any(len(values) > MOST_LEVELS for values in study.axes.values())
    some = f" Of axes with many levels, {MOST_LEVELS} are shown." if many else ""
    picture = Picture(
        "losses",
        "Median loss on the training data over replicates, and the 95 % interval of the median "
        f"(from six replicates on); a diverged run counts as infinite.{guess}{some}",
        "Curves of the median loss over epochs, a panel for each of "
        f"{', '.join(study.axes) or 'one cell'}.",
        (tables, prior, study.numeric),
        lambda: draw_losses(tables, prior, title, isnumeric=study.numeric),
    )
    return Section(
        "losses",
        "Curves",
        {},
        [picture],
        {f"loss-by-{axis}" if axis else "loss": t for axis, t in tables.items()},
    )
