"""Draws pictures into files, unless what they show has not changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.report.section import Picture

KNOWN = "drawn.json"
Geometry = list[tuple[float, float, float, float]]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A picture in its files.

    Attributes:
        svg: the picture as text, without its XML header.
        width: in inches.
        geometry: left, top, right, bottom of each panel, in shares of the picture.
    """

    picture: Picture
    svg: str
    width: float
    geometry: Geometry


def draw(pictures: Sequence[Picture], folder: Path) -> list[Drawn]:
    """Draw pictures as SVG and PNG; those whose data are as they were stay untouched."""
    folder.mkdir(parents=True, exist_ok=True)
    known = _known(folder)
    code = _code()
    now: dict[str, Any] = {}
    drawn = []
    for picture in pictures:
        mark = digest((code, picture.data))
        before = known.get(picture.name, {})
        svg = folder / f"{picture.name}.svg"
        if (
            before.get("digest") != mark
            or not svg.is_file()
            or not svg.with_suffix(".png").is_file()
        ):
            # Forgotten while it is drawn: a half-drawn picture is not taken for a drawn one.
            _write_known(folder, {k: v for k, v in known.items() if k != picture.name} | now)
            before = {"digest": mark, **_draw(picture, svg)}
        now[picture.name] = before
        drawn.append(
            Drawn(
                picture,
                _inner(svg.read_text(encoding="utf-8")),
                before["width"],
                before["geometry"],
            )
        )
    for name in set(known) - set(now):
        for suffix in (".svg", ".png"):
            (folder / f"{name}{suffix}").unlink(missing_ok=True)
    _write_known(folder, now)
    return drawn


def _write_known(folder: Path, known: dict[str, Any]) -> None:
    """Replace the list of what is drawn in one step."""
    half = folder / f".{KNOWN}"
    half.write_text(json.dumps(known, indent=1), encoding="utf-8")
    half.replace(folder / KNOWN)


def _known(folder: Path) -> dict[str, Any]:
    try:
        known = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _draw(picture: Picture, svg: Path) -> dict[str, Any]:
    from analysis.figures.style import DPI, house_style, where_of

    with house_style():
        figure = picture.draw()
        figure.savefig(svg.with_suffix(".png"), dpi=DPI)
        figure.set_layout_engine("none")  # it has been laid out; once is enough
        figure.savefig(svg, dpi=DPI, metadata={"Date": None, "Creator": None})
        panels = figure.axes[: len(picture.panels)]
        return {
            "width": float(figure.get_figwidth()),
            "geometry": [where_of(axes, figure) for axes in panels],
        }


def _inner(text: str) -> str:
    return text[text.index("<svg") :]


def _code() -> str:
    """Return a digest of the code that draws, so that mended code draws anew."""
    folder = Path(__file__).resolve().parents[1]
    summed = hashlib.sha256(repr([version(name) for name in ("matplotlib", "seaborn")]).encode())
    for path in sorted(folder.rglob("*.py")):
        summed.update(path.read_bytes())
    return summed.hexdigest()


def digest(data: Any) -> str:
    """Return a digest of data as pictures hold them: frames, arrays, dataclasses, plain values."""
    summed = hashlib.sha256()
    _feed(summed, data)
    return summed.hexdigest()[:24]


def _feed(summed: Any, data: Any) -> None:
    if isinstance(data, pd.DataFrame):
        _feed(summed, list(map(str, data.columns)))
        for name in data.columns:
            _feed(summed, data[name].to_numpy())
    elif isinstance(data, np.ndarray) and data.dtype != object:
        summed.update(f"{data.dtype}{data.shape}".encode() + np.ascontiguousarray(data).tobytes())
    elif isinstance(data, dict):
        _feed(summed, list(data.items()))
    elif isinstance(data, list | tuple | np.ndarray):
        summed.update(f"[{len(data)}".encode())
        for item in data:
            _feed(summed, item)
    elif dataclasses.is_dataclass(data) and not isinstance(data, type):
        for item in dataclasses.fields(data):
            _feed(summed, getattr(data, item.name))
    else:
        summed.update(f"{type(data).__name__}:{data!r};".encode())
