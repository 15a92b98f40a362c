"""Fills the templates in: one page that needs nothing else, and its Markdown twin."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.frames import Study, text
from analysis.report import explore
from analysis.report.drawing import Drawn
from analysis.report.section import Section
from analysis.words import gain, number, percent

TEMPLATES = Path(__file__).resolve().parent / "templates"
PIXELS_AN_INCH = 96
# What a reader asks of a training first, as it is typed, in this order.
SETTINGS = ("data", "activation", "depth", "width", "output", "loss", "init", "init_scale", "lr",
            "optimizer", "batch_size", "epochs", "weight_decay", "defects", "dtype")  # fmt: skip
_ONE_LINE = str.maketrans("\r\n", "  ")


def write_pages(
    study: Study, sections: Sequence[Section], drawn: Mapping[str, Drawn], folder: Path
) -> Path:
    """Write index.html and report.md; return the path of the first."""
    context = {
        "study": study,
        "again": _again(study),
        "fixed": fixed(study),
        "sections": sections,
        "drawn": drawn,
        "cells": explore.cells(study),
        "style": read("style.css"),
        "script": read("explore.js"),
    }
    templates = environment()
    page, twin = (templates.get_template(t).render(context) for t in ("page.html", "page.md"))
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "report.md").write_text(_spaced(twin), encoding="utf-8")
    return folder / "index.html"


def _again(study: Study) -> str:
    """Return the command that makes the report of chosen runs."""
    names = [sweep["name"] for sweep in study.sweeps]
    return shlex.join(["python", "report.py", *names, "--where", study.condition])


def fixed(study: Study) -> dict[str, str]:
    """Return the settings that are the same in all runs, as they are typed."""
    found = {}
    for name in SETTINGS:
        written = {_setting(name, value) for value in study.frame[name]}
        if name not in study.axes and len(written) == 1 and (one := written.pop()):
            found[name] = one
    return found


def _setting(name: str, value: Any) -> str:
    """Write a setting; nothing for a mistake or a decay that there is not."""
    if name == "batch_size" and pd.isna(value):
        return "full"
    absent = (name == "defects" and not len(value)) or (name == "weight_decay" and not value)
    return "" if absent else text(value)


def _spaced(text: str) -> str:
    """Leave one empty line between blocks of Markdown, and one before a heading."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\n+(?=#+ )", "\n\n", text)).strip("\n") + "\n"


def read(name: str) -> str:
    """Return a file that goes into pages as it is."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def environment() -> Any:
    """Return the templates with the filters they use."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": percent,
        "number": number,
        "gain": gain,
        "value": text,
        "md": markdown,
        "figure": figure,
    }
    return made


def markdown(value: object) -> str:
    """Keep a name from meaning something in Markdown or HTML."""
    safe = re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", str(value))
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").translate(_ONE_LINE)


def figure(drawn: Drawn) -> Any:
    """Return a picture as an element that carries the picture with it.

    As an image, not inline: nothing in it can run, and identifiers of pictures cannot collide.
    """
    from base64 import b64encode

    from markupsafe import Markup

    data = b64encode(drawn.svg.encode()).decode()
    width = round(drawn.width * PIXELS_AN_INCH)
    return Markup(
        '<img loading="lazy" decoding="async" style="width:{}px" alt="{}" '
        'src="data:image/svg+xml;base64,{}">'
    ).format(width, drawn.picture.alt, data)
