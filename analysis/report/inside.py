"""Inside the network: gradients and dead units by layer, in the worst, median and best cell."""

from __future__ import annotations

from analysis.curves import inside, ranked_cells, three_cells
from analysis.figures.curves import PROBES, draw_inside
from analysis.frames import Study
from analysis.report.section import Picture, Section
from analysis.words import number, settings


def section(study: Study) -> Section:
    """Draw what layers did."""
    chosen = three_cells(study)
    losses = ranked_cells(study)
    tables = {}
    for word in ("worst", "median", "best"):
        if word in chosen:
            cell = chosen[word]
            where = settings(study, study.at(cell)) if study.axes else ""
            heading = (
                f"{word}: loss {number(losses[cell])}"
                if len(chosen) > 1
                else f"loss {number(losses[cell])}"
            )
            tables["\n".join(filter(None, [heading, _wrapped(where)]))] = {
                probe: inside(study, cell, probe) for probe in PROBES
            }
    if not any((t["median"] > 0).any() for cell in tables.values() for t in cell.values()):
        return Section("inside", "Inside the network")
    picture = Picture(
        "inside",
        "By layer, the input side first and dark last; median over the runs of a cell. The cells "
        "are those with the highest, the middle and the lowest median final loss.",
        "Curves by layer of the gradient norm and of the share of dead units over epochs.",
        (tables,),
        lambda: draw_inside(tables, "Inside the network"),
    )
    return Section("inside", "Inside the network", {}, [picture])


def _wrapped(where: str, width: int = 34) -> str:
    """Break a list of settings between them."""
    lines = [""]
    for part in where.split(", "):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += f", {part}" if lines[-1] else part
    return "\n".join(lines)
