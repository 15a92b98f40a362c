"""Words and colors that figures and sections share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.figures.style import COLORS
from analysis.frames import Study
from analysis.symptoms import SYMPTOMS

_HEALTHY = "#d9d9d9"
_COLOR_OF = {
    "diverged": COLORS[6],
    "dead_layer": COLORS[3],
    "stuck_at_prior": COLORS[0],
    "collapsed_weights": COLORS[7],
    "exploding_gradient": COLORS[5],
    "vanishing_gradient": COLORS[4],
    "saturated": "#7a4fa3",
    "oscillating": COLORS[1],
    "slow": "#9c8a6a",
}


def color_of(symptom: str) -> str:
    """Return the color of a symptom, the same in every figure and report."""
    return _COLOR_OF.get(symptom, COLORS[2]) if symptom != "healthy" else _HEALTHY


def title_of(symptom: str) -> str:
    """Return the heading of a symptom."""
    return SYMPTOMS[symptom].title if symptom in SYMPTOMS else symptom.replace("_", " ")


def phrase(study: Study, symptom: str) -> str:
    """Return what runs with a symptom do, with the loss of guessing where it is one number."""
    words = SYMPTOMS[symptom].phrase
    if symptom == "stuck_at_prior" and study.prior is not None:
        return f"are stuck at {study.prior:.3g}, the loss of guessing"
    return words


def shown(study: Study, axis: str, value: Any) -> str:
    """Write a value of an axis for reading; four digits are enough to know most by."""
    return study.label(axis, value, 4)


def settings(study: Study, values: Mapping[str, Any]) -> str:
    """Write settings as people say them: the names of words are left out."""
    parts = []
    for axis, value in values.items():
        isname = isinstance(value, str) and not value[:1].isdigit()
        parts.append(
            value
            if isname and axis in ("activation", "init", "optimizer", "data", "sweep")
            else f"{axis} {shown(study, axis, value)}"
        )
    return ", ".join(parts)


def side(study: Study, axis: str, levels: Sequence[Any]) -> str:
    """Write one level of an axis, or the side of it that some levels are."""
    if len(levels) == 1:
        return settings(study, {axis: levels[0]})
    if levels[0] == study.axes[axis][0]:
        return f"{axis} {shown(study, axis, levels[-1])} or less"
    return f"{axis} {shown(study, axis, levels[0])} or more"


def listed(names: Sequence[str]) -> str:
    """Join names as in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def count(n: int, thing: str) -> str:
    """Return a number with its noun."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.0f} %"


def gain(value: float) -> str:
    """Return a difference of shares in percent, with its sign."""
    return f"{100 * value:+.0f} %".replace("-", "−")


def number(value: float) -> str:
    """Return a number with three digits."""
    if value != value:
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−")
