"""Phase maps: the rate of each failure that occurs, over every pair of numeric axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.boundaries import boundaries
from analysis.contrasts import Finding
from analysis.figures.phase import Mark, draw_dots, draw_line, draw_map
from analysis.frames import Study
from analysis.intervals import effective_size, wilson
from analysis.phase import MOST_MAPS, Phase, facets_of, pairs, phase, rates
from analysis.report.section import Picture, Section
from analysis.words import color_of, listed, settings, title_of

MOST_DOTS = 40
FIRST_MAPS = 6  # the others are a click away


def section(
    study: Study, found: Sequence[Finding], importance: Mapping[str, float]
) -> tuple[Section, dict[int, str]]:
    """Draw where failures occur.

    Returns:
        The section, and the picture that shows each finding, by its number from 1.
    """
    symptoms = study.occurring
    table = rates(study, symptoms)
    place: dict[int, str] = {}
    if not symptoms:
        pictures = []
    elif len(study.numeric) >= 2:
        pictures = _maps(study, found, importance, place)
    elif len(study.numeric) == 1:
        pictures = [_line(study, symptoms, importance)]
    else:
        pictures = [_dots(study, symptoms, table)]
    for k in range(1, len(found) + 1):
        if pictures:
            place.setdefault(k, pictures[0].name)
    wanted = len(pairs(study, importance)) * len(symptoms)
    context = {
        "symptoms": symptoms,
        "first": FIRST_MAPS,
        "left_out": max(0, wanted - MOST_MAPS) if len(study.numeric) >= 2 else 0,
    }
    tables = {"rates": table}
    if (begins := boundaries(study)) is not None:
        tables["boundary"] = begins
    return Section("maps", "Phase maps", context, pictures, tables), place


def _maps(
    study: Study,
    found: Sequence[Finding],
    importance: Mapping[str, float],
    place: dict[int, str],
) -> list[Picture]:
    first = [finding.symptom for finding in found]
    symptoms = sorted(study.occurring, key=lambda s: [*first, s].index(s))
    chosen = [(s, x, y) for x, y in pairs(study, importance) for s in symptoms][:MOST_MAPS]
    pictures = []
    for symptom, x, y in chosen:
        drawn = phase(study, symptom, x, y, importance)
        marks = []
        for k, finding in enumerate(found, start=1):
            if finding.symptom == symptom and k not in place:
                mine = _marks(k, finding, drawn, study)
                marks += mine
                if mine:
                    place[k] = f"map-{symptom}-{x}-{y}"
        pictures.append(_picture(drawn, marks))
    return pictures


def _marks(number: int, finding: Finding, drawn: Phase, study: Study) -> list[Mark]:
    """Find a finding's cells on a map: in each panel, the rectangle they span."""
    cells = set(study.frame["cell"].to_numpy()[finding.rows].tolist())
    marks = []
    for k, panel in enumerate(drawn.panels):
        at = [
            (r, c)
            for r, row in enumerate(panel.cells)
            for c, there in enumerate(row)
            if there and cells.issuperset(there)
        ]
        if at:
            rows, columns = zip(*at, strict=True)
            marks.append(Mark(number, k, tuple(sorted(set(rows))), tuple(sorted(set(columns)))))
    return marks


def _picture(drawn: Phase, marks: Sequence[Mark]) -> Picture:
    title = title_of(drawn.symptom)
    pooled = f" Taken together: every {listed(drawn.pooled)}." if drawn.pooled else ""
    marked = sorted({mark.number for mark in marks})
    word = "finding" if len(marked) == 1 else "findings"
    numbers = f" Framed: {word} {listed(list(map(str, marked)))}." if marked else ""
    worst = max(float(np.nanmax(panel.rate)) for panel in drawn.panels)
    heading = f"{title[:1].upper()}{title[1:]}: share of runs"
    return Picture(
        f"map-{drawn.symptom}-{drawn.x}-{drawn.y}",
        f"{heading}, in percent, over {drawn.x} and {drawn.y}.{pooled}{numbers}",
        f"Map of the share of runs with the symptom {title}, over {drawn.x} and {drawn.y}, "
        f"{len(drawn.panels)} panels; at most {100 * worst:.0f} percent.",
        (drawn, tuple(marks)),
        lambda: draw_map(drawn, heading, marks),
        [panel.cells for panel in drawn.panels],
    )


def _line(study: Study, symptoms: Sequence[str], importance: Mapping[str, float]) -> Picture:
    [x] = study.numeric
    facets = facets_of({a: v for a, v in study.axes.items() if a != x}, importance)
    pooled = [axis for axis in study.axes if axis != x and axis not in facets]
    frame = study.frame
    cells = [settings(study, {f: study.at(cell)[f] for f in facets}) for cell in study.cells.index]
    panel = frame["cell"].map(dict(zip(study.cells.index, cells, strict=True)))
    parts = []
    for symptom in symptoms:
        hit = frame["symptom"] == symptom
        grouped = hit.groupby([panel, frame[x]], sort=False)
        part = grouped.agg(["sum", "size"]).reset_index()
        part.columns = pd.Index(["panel", x, "hits", "runs"])
        by_unit = hit.groupby([panel, frame[x], frame["unit"]], sort=False).agg(["sum", "size"])
        groups = by_unit.groupby(level=[0, 1], sort=False)
        sizes = [effective_size(g["sum"], g["size"]) for _, g in groups]
        rate = part["hits"] / part["runs"]
        low, high = wilson(rate * sizes, sizes)
        parts.append(part.assign(symptom=title_of(symptom), rate=rate, low=low, high=high))
    table = pd.concat(parts).sort_values(x, kind="stable")
    colors = {title_of(s): color_of(s) for s in symptoms}
    also = f" Taken together: every {listed(pooled)}." if pooled else ""
    return Picture(
        f"rates-{x}",
        f"Share of runs with each symptom over {x}, with 95 % intervals where it occurs.{also}",
        f"Lines of the share of runs with each symptom over {x}.",
        (table, colors),
        lambda: draw_line(table, x, colors, "Failures: share of runs"),
    )


def _dots(study: Study, symptoms: Sequence[str], table: pd.DataFrame) -> Picture:
    labels = (
        {cell: settings(study, study.at(cell)) for cell in range(len(study.cells))}
        if study.axes
        else {0: "all runs"}
    )
    worst = table.groupby("cell")["rate"].sum().sort_values(ascending=False).index[:MOST_DOTS]
    shown = table[table["cell"].isin(worst)]
    shown = shown.assign(label=shown["cell"].map(labels), symptom=shown["symptom"].map(title_of))
    shown = shown[["label", "symptom", "hits", "rate", "low", "high"]]
    colors = {title_of(s): color_of(s) for s in symptoms}
    cut = f" The {MOST_DOTS} cells with most of them." if len(labels) > MOST_DOTS else ""
    return Picture(
        "rates",
        f"Share of runs with each symptom in every cell, with 95 % intervals where it occurs.{cut}",
        "Dots at the share of runs with each symptom, a line a cell.",
        (shown, colors),
        lambda: draw_dots(shown, colors, "Failures: share of runs"),
    )
