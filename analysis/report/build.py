"""A study becomes a folder: index.html, report.md, figures/, tables/."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analysis.contrasts import findings
from analysis.frames import Study
from analysis.report import comparisons, examples, importance, inside, losses, maps, method
from analysis.report import findings as happened
from analysis.report.drawing import draw
from analysis.report.page import write_pages
from analysis.report.section import Section
from analysis.variance import shares

KNOWN = "written.json"


@dataclass(frozen=True)
class Made:
    """Where a report is, and what it found first.

    Attributes:
        page: index.html.
        findings: sentences, most telling first.
        summary: how the runs went, in a sentence or two.
    """

    page: Path
    findings: list[str]
    summary: str


def make(study: Study, folder: Path, progress: Callable[[str], None] = lambda _: None) -> Made:
    """Write a report.

    Args:
        study: the runs.
        folder: where to; a report that is there is brought up to date.
        progress: told of each step.
    """
    progress("comparing")
    sections = sections_of(study)
    pictures = [picture for section in sections for picture in section.pictures]
    progress(f"drawing {len(pictures)} figures")
    drawn = {each.picture.name: each for each in draw(pictures, folder / "figures")}
    progress("writing")
    write_tables(sections, folder / "tables")
    page = write_pages(study, sections, drawn, folder)
    context = sections[0].context
    return Made(page, [finding["text"] for finding in context["findings"]], context["lead"])


def sections_of(study: Study) -> list[Section]:
    """Return the sections of a report in their order."""
    found = findings(study)
    terms = shares(study)
    alone = {t[0]: s for t, s in zip(terms["axes"], terms["share"], strict=True) if len(t) == 1}
    where, place = maps.section(study, found, alone)
    return [
        happened.section(study, found, place),
        where,
        losses.section(study),
        comparisons.section(study),
        importance.section(study, terms),
        inside.section(study),
        examples.section(study),
        method.section(study),
    ]


def write_tables(sections: list[Section], folder: Path) -> None:
    """Write the tables of sections as CSV, and remove those of an earlier report."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {name: table for section in sections for name, table in section.tables.items()}
    known = folder / KNOWN  # whatever else lies there is not ours to remove
    try:
        before = json.loads(known.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or cut off
        before = []
    for stale in set(before) - set(tables):
        (folder / f"{stale}.csv").unlink(missing_ok=True)
    known.write_text(json.dumps(list(tables)), encoding="utf-8")
    for name, table in tables.items():
        table.drop(columns="color", errors="ignore").to_csv(folder / f"{name}.csv", index=False)
