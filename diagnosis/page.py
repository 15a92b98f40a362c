"""An answer as one HTML page that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from diagnosis import figures, report
from diagnosis.answer import Answer

TEMPLATES = Path(__file__).resolve().parent / "templates"


def page(answer: Answer) -> str:
    """Return a page: the verdict, the error of each array, the findings, the curves."""
    return (
        _templates()
        .get_template("page.html")
        .render(
            answer=answer,
            headline=report.headline(answer),
            network=answer.model and report.network(answer.model, answer.samples),
            errors=figures.errors(answer.checks) if answer.checks else "",
            curves=figures.curves(answer.curves) if answer.curves else "",
            ends=report.ends(answer),
            notes=[*answer.side_effects, *answer.notes],
            style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        )
    )


def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"picture": _picture, "others": report.others}
    return made


def _picture(svg: str, alt: str) -> Markup:
    """Return a picture as an element that carries it: as an image, nothing in it can run."""
    data = b64encode(svg.encode()).decode()
    return Markup('<img alt="{}" src="data:image/svg+xml;base64,{}">').format(alt, data)
